/**
 * Pools of windows of steps: output t' of a row sees its valid steps from t' stride - left on, n of
 * P. Rows are packed as in `Sequence` (base/structs.ts), with the same place in inputs and outputs.
 *
 *   max   y = max of x_t, element by element   dx_t = sum of dy of windows whose first largest is t
 *   mean  y = sum of x_t / divisor             dx_t = sum of dy / divisor of windows that see t
 *
 * Windows that end with their own step may look back into a state: x then begins with these steps,
 * each with a mark after its features, above 0 where there is such a step. Gradients take the last
 * window first, so that they are the same sums wherever a sequence is cut.
 */

import { at, put } from './join';
import { beginGradients } from './rows';

/** The valid steps of every window as one row. Every window has one. */
@unmanaged
export class WindowPool {
  isMax: i32;
  /** P */
  size: i32;
  stride: i32;
  /** Of a mean: 0 for n. */
  divisor: i32;
  /** T, T' and B of this pass. */
  steps: i32;
  outputSteps: i32;
  batch: i32;
  /** Steps of the state: P - 1, or 0 for none. */
  history: i32;
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
  /** [history B + M, W] in */
  x: usize;
  /** [M', W] out */
  y: usize;
  /** [M', W] i32, rows as those of y: the row of x with the maximum; 0 where it is not wanted. */
  chosen: usize;
  /** [M', W] in: gradient of y. */
  dy: usize;
  /** [M, W] out; may be x. */
  dx: usize;
  /** [history, B, W + 1] inout: gradient of the last state, then of that before the first step. */
  dState: usize;
}

/** Where row `place` is at step t, in x; steps of the state are below 0. */
// @ts-ignore: decorator
@inline
function rowOf(d: WindowPool, t: i32, place: i32): i32 {
  if (t < 0) return (t + d.history) * d.batch + place;
  return d.history * d.batch + load<i32>(d.offsets + (t << 2)) + place;
}

/** The first step of a window that is there. */
function firstStep(d: WindowPool, start: i32, place: i32): i32 {
  let t = max(-d.history, start);
  while (t < 0 && load<f32>(d.x + rowOf(d, t, place) * d.xRow + d.width) <= 0) t++;
  return t;
}

/** All windows, there or back. */
function eachWindow(d: WindowPool, isBack: bool): void {
  const isMax = d.isMax != 0;
  const own = d.history * d.batch;
  for (let n = 0; n < d.outputSteps; n++) {
    const t = isBack ? d.outputSteps - 1 - n : n;
    const begin = load<i32>(d.outputOffsets + (t << 2));
    const rows = load<i32>(d.outputOffsets + (t << 2), 4) - begin;
    for (let place = 0; place < rows; place++) {
      const span = d.spans + (place << 3);
      const start = t * d.stride - load<i32>(span);
      const first = firstStep(d, start, place);
      const end = min(start + d.size, load<i32>(span, 4));
      const divisor = f32x4.splat(<f32>(d.divisor ? d.divisor : end - first));
      const out = (begin + place) * d.yRow;
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
          put(d.y + out, k, sum, isWhole);
          if (d.chosen) put(d.chosen + out, k, chosen, isWhole);
        } else {
          let g = at(d.dy + (begin + place) * d.dyRow, k, false, isWhole);
          if (!isMax) g = f32x4.div(g, divisor);
          for (let s = first; s < end; s++) {
            const row = isMax ? load<i32>(d.chosen + out + k) : rowOf(d, s, place);
            const to = row < own ? d.dState + row * d.xRow : d.dx + (row - own) * d.dxRow;
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
  const d = changetype<WindowPool>(descriptor);
  beginGradients(d.offsets, d.steps, d.batch, d.history, d.dState, d.xRow, d.dx, d.dxRow, d.width);
  eachWindow(d, true);
}
