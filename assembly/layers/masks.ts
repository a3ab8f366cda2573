/**
 * Random masks of training from Philox4x32-10 (Salmon et al. 2011), the generator of
 * src/base/random.ts: a pure function of seed and place, so that every host and every order of work
 * draws the same.
 */

import { M0, M1, ROUNDS, W0, W1 } from '../shared/philox';

/** y = x times a mask, row by row of all steps. */
@unmanaged
export class Masked {
  steps: i32;
  /** 1 where all steps of a row of the batch share a row of the mask. */
  fixed: i32;
  /** Bytes of a row that count, whole vectors. */
  width: i32;
  yRow: i32;
  xRow: i32;
  maskRow: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  x: usize;
  mask: usize;
  y: usize;
}

/** A mask that is drawn from the counters (block, pass, stream, 1) of a key. */
@unmanaged
export class Draw {
  /** Elements of a row, and bytes from row to row. */
  width: i32;
  row: i32;
  mask: usize;
  key0: i32;
  key1: i32;
  pass: i32;
  stream: i32;
  /** 2^24 times the probability of 0. */
  threshold: i32;
  /** What the other elements are. */
  value: f32;
}

/** 2^24 times a uniform number from a random word. */
// @ts-ignore: decorator
@inline
function draw(to: usize, word: u32, threshold: i32, value: f32): void {
  store<f32>(to, <i32>(word >> 8) >= threshold ? value : 0);
}

/**
 * Row `at` of a mask, rounded up to four = `value` with probability 1 - threshold / 2^24, else 0:
 * from blocks `block`, `block + 1`, ... of the counters (block, pass, stream, 1).
 */
export function fillMask(descriptor: usize, at: i32, block: u32): void {
  const d = changetype<Draw>(descriptor);
  const mask = d.mask + at * d.row;
  for (let k = 0; k < d.width; k += 4) {
    let c0 = block++;
    let c1 = <u32>d.pass;
    let c2 = <u32>d.stream;
    let c3: u32 = 1;
    let k0 = <u32>d.key0;
    let k1 = <u32>d.key1;
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
    draw(to, c0, d.threshold, d.value);
    draw(to + 4, c1, d.threshold, d.value);
    draw(to + 8, c2, d.threshold, d.value);
    draw(to + 12, c3, d.threshold, d.value);
  }
}

/**
 * y = x times mask, row by row of all steps; of a fixed mask a row for each row of the batch.
 * Whole vectors are read and written.
 */
export function maskRows(descriptor: usize): void {
  const d = changetype<Masked>(descriptor);
  let x = d.x;
  let y = d.y;
  for (let t = 0; t < d.steps; t++) {
    const first = load<i32>(d.offsets + (t << 2));
    const end = load<i32>(d.offsets + (t << 2), 4);
    for (let row = first; row < end; row++) {
      const by = d.mask + (d.fixed ? row - first : row) * d.maskRow;
      for (let k = 0; k < d.width; k += 16) {
        v128.store(y + k, f32x4.mul(v128.load(x + k), v128.load(by + k)));
      }
      x += d.xRow;
      y += d.yRow;
    }
  }
}
