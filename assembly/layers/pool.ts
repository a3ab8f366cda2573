/**
 * Many to one: the valid steps of every row as one row. Rows of all steps are packed as in
 * `Sequence` (base/structs.ts); a row without a valid step becomes zero. Strides and widths in
 * bytes, widths of whole vectors.
 *
 *   last, first   y = x_t of the last, the first step     dx_t = dy there, 0 elsewhere
 *   mean          y = (x_0 + ... + x_(n-1)) / n           dx_t = dy / n
 *   max           y = max of x_t, element by element      dx_t = dy at the first t with x_t = y,
 *                                                         0 elsewhere
 */

import * as codes from '../shared/codes';
import { rowAt, validSteps } from './rows';

/** y [B, W] from x [M, W]. */
export function poolForward(
  mode: i32,
  y: usize,
  yRow: i32,
  x: usize,
  xRow: i32,
  offsets: usize,
  steps: i32,
  batch: i32,
  width: i32,
): void {
  for (let place = 0; place < batch; place++) {
    const length = validSteps(offsets, steps, place);
    const isMax = mode == codes.POOL_MAX;
    const isOne = mode == codes.POOL_LAST || mode == codes.POOL_FIRST;
    const first = mode == codes.POOL_LAST ? max(0, length - 1) : 0;
    const end = isOne ? min(first + 1, length) : length;
    const divisor = f32x4.splat(mode == codes.POOL_MEAN ? <f32>length : 1);
    if (length == 0) memory.fill(y, 0, width);
    for (let k = 0; k < width && length; k += 16) {
      let sum = v128.load(x + rowAt(offsets, first, place) * xRow + k);
      for (let t = first + 1; t < end; t++) {
        const next = v128.load(x + rowAt(offsets, t, place) * xRow + k);
        sum = isMax ? f32x4.max(sum, next) : f32x4.add(sum, next);
      }
      v128.store(y + k, f32x4.div(sum, divisor));
    }
    y += yRow;
  }
}

/** dx [M, W] from dy [B, W], which a maximum uses up. */
export function poolBackward(
  mode: i32,
  y: usize,
  dy: usize,
  yRow: i32,
  x: usize,
  dx: usize,
  xRow: i32,
  offsets: usize,
  steps: i32,
  batch: i32,
  width: i32,
): void {
  for (let place = 0; place < batch; place++) {
    const length = validSteps(offsets, steps, place);
    const chosen = mode == codes.POOL_LAST ? length - 1 : 0;
    const divisor = f32x4.splat(<f32>length);
    for (let t = 0; t < length; t++) {
      const at = rowAt(offsets, t, place) * xRow;
      for (let k = 0; k < width; k += 16) {
        let d = v128.load(dy + k);
        if (mode == codes.POOL_MEAN) {
          d = f32x4.div(d, divisor);
        } else if (mode == codes.POOL_MAX) {
          const hit = f32x4.eq(v128.load(x + at + k), v128.load(y + k));
          v128.store(dy + k, v128.andnot(d, hit));
          d = v128.and(d, hit);
        } else if (t != chosen) {
          d = f32x4.splat(0);
        }
        v128.store(dx + at + k, d);
      }
    }
    y += yRow;
    dy += yRow;
  }
}
