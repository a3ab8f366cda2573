/**
 * Random masks of training from Philox4x32-10 (Salmon et al. 2011), the generator of
 * src/base/random.ts: a pure function of seed and place, so that every host and every order of work
 * draws the same.
 */

import { M0, M1, ROUNDS, W0, W1 } from '../shared/philox';

/** 2^24 times a uniform number from a random word. */
// @ts-ignore: decorator
@inline
function draw(to: usize, word: u32, threshold: u32, value: f32): void {
  store<f32>(to, word >> 8 >= threshold ? value : 0);
}

/**
 * mask [n, rounded up to four] = `value` with probability 1 - threshold / 2^24, else 0: from blocks
 * `block`, `block + 1`, ... of the counters (block, pass, stream, 1).
 */
export function fillMask(
  mask: usize,
  n: i32,
  key0: u32,
  key1: u32,
  block: u32,
  pass: u32,
  stream: u32,
  threshold: u32,
  value: f32,
): void {
  for (let k = 0; k < n; k += 4) {
    let c0 = block++;
    let c1 = pass;
    let c2 = stream;
    let c3: u32 = 1;
    let k0 = key0;
    let k1 = key1;
    for (let round = 0; round < ROUNDS; round++) {
      const a = <u64>M0 * <u64>c0;
      const b = <u64>M1 * <u64>c2;
      c0 = (<u32>(b >> 32)) ^ c1 ^ k0;
      c1 = <u32>b;
      c2 = (<u32>(a >> 32)) ^ c3 ^ k1;
      c3 = <u32>a;
      k0 += <u32>W0;
      k1 += <u32>W1;
    }
    const to = mask + (k << 2);
    draw(to, c0, threshold, value);
    draw(to + 4, c1, threshold, value);
    draw(to + 8, c2, threshold, value);
    draw(to + 12, c3, threshold, value);
  }
}

/**
 * to = x times mask, row by row of all steps; of a fixed mask a row for each row of the batch.
 * Widths and strides in bytes; whole vectors are read and written.
 */
export function maskRows(
  to: usize,
  toRow: i32,
  x: usize,
  xRow: i32,
  mask: usize,
  maskRow: i32,
  fixed: bool,
  offsets: usize,
  steps: i32,
  width: i32,
): void {
  for (let t = 0; t < steps; t++) {
    const first = load<i32>(offsets + (t << 2));
    const end = load<i32>(offsets + (t << 2), 4);
    for (let row = first; row < end; row++) {
      const by = mask + (fixed ? row - first : row) * maskRow;
      for (let k = 0; k < width; k += 16) {
        v128.store(to + k, f32x4.mul(v128.load(x + k), v128.load(by + k)));
      }
      to += toRow;
      x += xRow;
    }
  }
}
