import { InvalidArgumentError } from 'commander';
import { MAX_SEED } from '../base/random.ts';

/** Parser of an option that takes a whole number. */
export function whole(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${low} to ${high}.`);
  };
}

/** Parser of an option that takes a number, `low` itself only where `closed`. */
export function decimal(low: number, high: number, closed: boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const above = closed ? value >= low : value > low;
    if (text.trim() !== '' && above && value <= high) return value;
    const from = closed ? `from ${low}` : `above ${low} and`;
    throw new InvalidArgumentError(`It takes a number ${from} up to ${high}.`);
  };
}

export const seed: (text: string) => number = whole(0, MAX_SEED);
