/**
 * Pools of windows of steps: output t' of a row sees its valid steps from t' stride - left on, n of
 * P. Rows are packed as in `Sequence` (base/structs.ts), with the same place in inputs and outputs.
 *
 *   max   y = max of x_t, element by element   dx_t = sum of dy of windows whose first largest is t
 *   mean  y = sum of x_t / divisor             dx_t = sum of dy / divisor of windows that see t
 */

import { at, put } from './join';

/** The valid steps of every window as one row. Every window has one. */
@unmanaged
export class WindowPool {
  isMax: i32;
  /** P */
  size: i32;
  stride: i32;
  /** Of a mean: 0 for n. */
  divisor: i32;
  /** T' */
  outputSteps: i32;
  /** Bytes of a row that count. */
  width: i32;
  /** Bytes from row to row, of gradients as well. */
  xRow: i32;
  dxRow: i32;
  yRow: i32;
  dyRow: i32;
  /** [B, 2] i32: steps of padding before the first step of each row, and its valid steps. */
  spans: usize;
  /** [T + 1] and [T' + 1] i32 in: the first row of every step. */
  offsets: usize;
  outputOffsets: usize;
  /** [M, W] in */
  x: usize;
  /** [M', W] out */
  y: usize;
  /** [M', W] i32, rows as those of y: the row that a maximum is of; 0 where it is not wanted. */
  chosen: usize;
  /** [M', W] in: gradient of y. */
  dy: usize;
  /** [M, W] inout: the gradient of x is added; may be x. */
  dx: usize;
}

/** Where row `place` is at step t. */
// @ts-ignore: decorator
@inline
function rowOf(d: WindowPool, t: i32, place: i32): i32 {
  return load<i32>(d.offsets + (t << 2)) + place;
}

/** All windows, there or back. */
function eachWindow(d: WindowPool, isBack: bool): void {
  const isMax = d.isMax != 0;
  for (let t = 0; t < d.outputSteps; t++) {
    const begin = load<i32>(d.outputOffsets + (t << 2));
    const rows = load<i32>(d.outputOffsets + (t << 2), 4) - begin;
    for (let place = 0; place < rows; place++) {
      const span = d.spans + (place << 3);
      const start = t * d.stride - load<i32>(span);
      const first = max(0, start);
      const end = min(start + d.size, load<i32>(span, 4));
      const divisor = f32x4.splat(<f32>(d.divisor ? d.divisor : end - first));
      const own = (begin + place) * d.yRow;
      for (let k = 0; k < d.width;) {
        const isWhole = k + 16 <= d.width && !(isBack && isMax);
        if (!isBack) {
          let row = rowOf(d, first, place);
          let sum = at(d.x + row * d.xRow, k, false, isWhole);
          let chosen = i32x4.splat(row);
          for (let s = first + 1; s < end; s++) {
            row = rowOf(d, s, place);
            const next = at(d.x + row * d.xRow, k, false, isWhole);
            if (isMax) {
              chosen = v128.bitselect(i32x4.splat(row), chosen, f32x4.gt(next, sum));
              sum = f32x4.max(sum, next);
            } else sum = f32x4.add(sum, next);
          }
          if (!isMax) sum = f32x4.div(sum, divisor);
          put(d.y + own, k, sum, isWhole);
          if (d.chosen) put(d.chosen + own, k, chosen, isWhole);
        } else {
          let g = at(d.dy + (begin + place) * d.dyRow, k, false, isWhole);
          if (!isMax) g = f32x4.div(g, divisor);
          for (let s = first; s < end; s++) {
            const row = isMax ? load<i32>(d.chosen + own + k) : rowOf(d, s, place);
            const to = d.dx + row * d.dxRow;
            put(to, k, f32x4.add(at(to, k, false, isWhole), g), isWhole);
            if (isMax) break;
          }
        }
        k += isWhole ? 16 : 4;
      }
    }
  }
}

export function windowPoolForward(descriptor: usize): void {
  eachWindow(changetype<WindowPool>(descriptor), false);
}

export function windowPoolBackward(descriptor: usize): void {
  eachWindow(changetype<WindowPool>(descriptor), true);
}
