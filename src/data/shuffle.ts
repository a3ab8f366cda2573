import { checkInteger } from '../base/check.ts';
import { MAX_SEED, philox, philoxKey } from '../base/random.ts';

/** What an order is drawn for: each has numbers of its own. */
export const ORDER = { items: 0, batches: 1, split: 2 } as const;

/** Last word of the counters here; that of `fillUniform` is 0. */
const SHUFFLE = 0x73687566;

export function checkSeed(seed: number | undefined): number {
  return checkInteger('seed', seed ?? 0, 0, MAX_SEED);
}

/**
 * 0, 1, ... count - 1, in an order that is a function of seed, pass and purpose alone (Fisher and
 * Yates).
 */
export function shuffled(count: number, seed: number, epoch: number, purpose: number): Int32Array {
  const items = Int32Array.from({ length: count }, (_, i) => i);
  const key = philoxKey(seed);
  const words = new Uint32Array(4);
  for (let last = count - 1; last > 0; last--) {
    philox(key, [last, epoch, purpose, SHUFFLE], words);
    const uniform = (words[0]! * 2 ** 21 + (words[1]! >>> 11)) / 2 ** 53;
    const other = Math.floor(uniform * (last + 1));
    [items[last], items[other]] = [items[other]!, items[last]!];
  }
  return items;
}

/** Makes what a pass needs once, when its first batch is asked for. */
export function oncePerEpoch<T>(make: (epoch?: number) => T): (epoch?: number) => T {
  let made: { epoch: number | undefined; value: T } | undefined;
  return (epoch) => {
    if (!made || made.epoch !== epoch) made = { epoch, value: make(epoch) };
    return made.value;
  };
}
