/**
 * All features of a row as one, and the way back:
 *
 *   mean   y = (x_1 + ... + x_W) / W     dx_k = dy / W
 *   sum    y = x_1 + ... + x_W           dx_k = dy
 *   max    y = max of x_k                dx_k = dy at the first k with x_k = y, 0 elsewhere
 *
 * The gradient may take the place of x.
 */

import { firstLanes, largest, sum } from '../base/simd';
import * as codes from '../shared/codes';

/** The features of every row as one. */
@unmanaged
export class Reduce {
  mode: i32;
  /** M, and W */
  rows: i32;
  width: i32;
  /** Bytes from row to row; those of y and dy are one vector apart. */
  xRow: i32;
  dxRow: i32;
  /** [M, W] in */
  x: usize;
  /** [M, 1] out */
  y: usize;
  /** [M, 1] in: gradient of y. */
  dy: usize;
  /** [M, W] out */
  dx: usize;
}

export function reduceForward(descriptor: usize): void {
  const d = changetype<Reduce>(descriptor);
  const isMax = d.mode == codes.REDUCE_MAX;
  for (let r = 0; r < d.rows; r++) {
    const x = d.x + r * d.xRow;
    // Of features left over each is all lanes of a vector, of which a sum takes the first.
    let all = isMax ? v128.load_splat<f32>(x) : f32x4.splat(0);
    for (let k = 0; k < d.width;) {
      const isWhole = k + 4 <= d.width;
      const at = x + (k << 2);
      const v = isWhole ? v128.load(at) : v128.load_splat<f32>(at);
      all = isMax ? f32x4.max(all, v) : f32x4.add(all, v128.and(v, firstLanes(isWhole ? 4 : 1)));
      k += isWhole ? 4 : 1;
    }
    let y = isMax ? largest(all) : sum(all);
    if (d.mode == codes.REDUCE_MEAN) y /= <f32>d.width;
    store<f32>(d.y + (r << 4), y);
  }
}

export function reduceBackward(descriptor: usize): void {
  const d = changetype<Reduce>(descriptor);
  const divisor = d.mode == codes.REDUCE_MEAN ? <f32>d.width : 1;
  for (let r = 0; r < d.rows; r++) {
    const x = d.x + r * d.xRow;
    const dx = d.dx + r * d.dxRow;
    let g = load<f32>(d.dy + (r << 4)) / divisor;
    for (let k = 0; k < d.width; k++) {
      const at = k << 2;
      if (d.mode != codes.REDUCE_MAX) store<f32>(dx + at, g);
      else if (load<f32>(x + at) == load<f32>(d.y + (r << 4))) {
        store<f32>(dx + at, g);
        g = 0;
      } else store<f32>(dx + at, 0);
    }
  }
}
