/**
 * Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3" (SC 2011).
 *
 * There is no state: block `counter` of the stream `key` is a pure function of the two. So weights,
 * sampling and shuffles draw the same numbers in every host and in any order of work, and a stopped
 * run resumes from a plain count of what it has drawn.
 */

import { checkInteger } from './check.ts';
import { M0, M1, ROUNDS, W0, W1 } from '../../assembly/shared/philox.ts';

/** 64 bits: low word, high word. */
export type PhiloxKey = readonly [number, number];
/** 128 bits, low word first. */
export type PhiloxCounter = readonly [number, number, number, number];

/** High word of the 64-bit product of two 32-bit words; `Math.imul` is the low one. */
function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const low = a0 * b1 + (middle & 0xffff);
  return (a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(low / 0x10000)) >>> 0;
}

/** The four words of one block. */
export function philox(
  key: PhiloxKey,
  counter: PhiloxCounter,
  out: Uint32Array = new Uint32Array(4),
): Uint32Array {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = Math.imul(M0, c0);
    const high1 = mulHigh(M1, c2);
    const low1 = Math.imul(M1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
  return out;
}

/** Largest seed: a key has 64 bits, a number counts exactly to 2^53 - 1. */
export const MAX_SEED: number = Number.MAX_SAFE_INTEGER;

/** The key of a seed in 0 ... `MAX_SEED`. */
export function philoxKey(seed: number): PhiloxKey {
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

/**
 * Gives numbers `start`, `start + 1`, ... of stream `stream` of a seed, uniform in [0, 1) with 24
 * bits, so that each is exact in f32. Any range of a stream can be drawn alone.
 */
function uniforms(seed: number, stream: number, start: number): () => number {
  const key = philoxKey(seed);
  const block = new Uint32Array(4);
  let drawn = -1;
  let index = start;
  return () => {
    const wanted = Math.floor(index / 4);
    if (wanted !== drawn) {
      philox(key, [wanted >>> 0, Math.floor(wanted / 2 ** 32), stream, 0], block);
      drawn = wanted;
    }
    return (block[index++ % 4]! >>> 8) / 2 ** 24;
  };
}

/** Fills an array with them. */
export function fillUniform(out: Float32Array, seed: number, stream: number, start = 0): void {
  const next = uniforms(seed, stream, start);
  for (let i = 0; i < out.length; i++) out[i] = next();
}

/** Stream of the generator for drawing tokens; the layers' weights use others. */
const SAMPLE_STREAM = 0x73616d70;

/**
 * A generator of uniform numbers in [0, 1), for `sampleToken`: the same numbers for a seed in every
 * host.
 *
 * @example
 *   const random = seededRandom(7);
 *   const [first, second] = [random(), random()];
 *   seededRandom(7, 1)() === second; // goes on where another one stopped
 *
 * @param seed a whole number from 0 to 2^53 - 1.
 * @param drawn how many of its numbers to pass over; default 0.
 */
export function seededRandom(seed: number, drawn = 0): () => number {
  checkInteger('seed', seed, 0, MAX_SEED);
  checkInteger('drawn', drawn, 0, Number.MAX_SAFE_INTEGER);
  return uniforms(seed, SAMPLE_STREAM, drawn);
}
