/**
 * Many to one: the valid steps of every row as one row. Rows of all steps are packed as in
 * `Sequence` (base/structs.ts); a row without a valid step becomes zero. Strides and widths in
 * bytes, widths of whole vectors.
 *
 *   last, first   y = x_t of the last, the first step     dx_t = dy there, 0 elsewhere
 *   mean          y = (x_0 + ... + x_(n-1)) / n           dx_t = dy / n; masked steps do not count
 *   max           y = max of x_t, element by element      dx_t = dy at the first t with x_t = y,
 *                                                         0 elsewhere
 */

import { narrow, widenHigh, widenLow } from '../base/simd';
import * as codes from '../shared/codes';
import { isMasked } from './masking';
import { rowAt, validSteps } from './rows';

/** The valid steps of every row of the batch as one row. */
@unmanaged
export class Pool {
  mode: i32;
  steps: i32;
  batch: i32;
  /** Bytes of a row that count, whole vectors. */
  width: i32;
  yRow: i32;
  xRow: i32;
  dxRow: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  /** [M] f32 in: other than 0 in rows that do not count; 0 where all do. */
  masked: usize;
  /** [M, W] in */
  x: usize;
  /** [B, W] out */
  y: usize;
  /** [B, W] in: gradient of y, which a maximum uses up. */
  dy: usize;
  /** [M, W] out */
  dx: usize;
}

/** Where row `place` is at step t, or -1 where that does not count. */
function countedRow(d: Pool, t: i32, place: i32): i32 {
  const row = rowAt(d.offsets, t, place);
  return d.masked && isMasked(d.masked, row) ? -1 : row;
}

/** How many of the valid steps of a row count. */
function countSteps(d: Pool, length: i32, place: i32): f32 {
  let n = 0;
  for (let t = 0; t < length; t++) if (countedRow(d, t, place) >= 0) n++;
  return <f32>n;
}

/** y [B, W] from x [M, W]. */
export function poolForward(descriptor: usize): void {
  const d = changetype<Pool>(descriptor);
  const isOne = d.mode == codes.POOL_LAST || d.mode == codes.POOL_FIRST;
  for (let place = 0; place < d.batch; place++) {
    const y = d.y + place * d.yRow;
    const length = validSteps(d.offsets, d.steps, place);
    let first = d.mode == codes.POOL_LAST ? max(0, length - 1) : 0;
    const end = isOne ? min(first + 1, length) : length;
    while (first < end && countedRow(d, first, place) < 0) first++;
    const isMean = d.mode == codes.POOL_MEAN;
    const count = f64x2.splat(isMean ? <f64>countSteps(d, length, place) : 1);
    if (first >= end) memory.fill(y, 0, d.width);
    for (let k = 0; k < d.width && first < end; k += 16) {
      let sum = v128.load(d.x + countedRow(d, first, place) * d.xRow + k);
      let low = widenLow(sum);
      let high = widenHigh(sum);
      for (let t = first + 1; t < end; t++) {
        const row = countedRow(d, t, place);
        if (row < 0) continue;
        const next = v128.load(d.x + row * d.xRow + k);
        sum = f32x4.max(sum, next);
        low = f64x2.add(low, widenLow(next));
        high = f64x2.add(high, widenHigh(next));
      }
      const mean = narrow(f64x2.div(low, count), f64x2.div(high, count));
      v128.store(y + k, isMean ? mean : sum);
    }
  }
}

/** dx [M, W] from dy [B, W], which a maximum uses up. */
export function poolBackward(descriptor: usize): void {
  const d = changetype<Pool>(descriptor);
  for (let place = 0; place < d.batch; place++) {
    const y = d.y + place * d.yRow;
    const dy = d.dy + place * d.yRow;
    const length = validSteps(d.offsets, d.steps, place);
    const chosen = d.mode == codes.POOL_LAST ? length - 1 : 0;
    const divisor = f32x4.splat(countSteps(d, length, place));
    for (let t = 0; t < length; t++) {
      const row = rowAt(d.offsets, t, place);
      const x = d.x + row * d.xRow;
      const dx = d.dx + row * d.dxRow;
      const isMean = d.mode == codes.POOL_MEAN;
      const isTaken = isMean ? countedRow(d, t, place) >= 0 : t == chosen;
      for (let k = 0; k < d.width; k += 16) {
        let g = v128.load(dy + k);
        if (d.mode == codes.POOL_MAX) {
          const hit = f32x4.eq(v128.load(x + k), v128.load(y + k));
          v128.store(dy + k, v128.andnot(g, hit));
          g = v128.and(g, hit);
        } else if (!isTaken) {
          g = f32x4.splat(0);
        } else if (isMean) {
          g = f32x4.div(g, divisor);
        }
        v128.store(dx + k, g);
      }
    }
  }
}
