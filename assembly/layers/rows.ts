/** Rows on their way between layers. */

import { addToRows } from '../base/vectors';

/**
 * Rows on their way between buffers: `to` [M, W] = rows of `from`, or += them; in their order, or
 * those that `index` names.
 */
@unmanaged
export class Rows {
  rows: i32;
  /** Bytes of a row that count; whole vectors where rows are added. */
  width: i32;
  /** Bytes from row to row. */
  toRow: i32;
  fromRow: i32;
  to: usize;
  from: usize;
  /** [M] i32, or 0 for all rows in their order. */
  index: usize;
}

/** Where row `place` is at step t, or -1 after its valid steps. */
// @ts-ignore: decorator
@inline
export function rowAt(offsets: usize, t: i32, place: i32): i32 {
  const row = load<i32>(offsets + (t << 2)) + place;
  return row < load<i32>(offsets + (t << 2), 4) ? row : -1;
}

/** The steps that row `place` has. */
export function validSteps(offsets: usize, steps: i32, place: i32): i32 {
  let t = 0;
  while (t < steps && rowAt(offsets, t, place) >= 0) t++;
  return t;
}

/** to [n] = from [n], or zeros where that is 0. Writes nothing beyond: rows lie side by side. */
export function copyTap(to: usize, from: usize, n: i32): void {
  const end = to + (n << 2);
  const zero = f32x4.splat(0);
  for (; to + 16 <= end; to += 16) {
    v128.store(to, from ? v128.load(from) : zero);
    if (from) from += 16;
  }
  for (; to < end; to += 4) {
    store<f32>(to, from ? load<f32>(from) : 0);
    if (from) from += 4;
  }
}

/**
 * dx = 0, but for the gradient of the last `history` steps of every row: to where these come from,
 * in x or earlier in the state [history, B, W] before the first step.
 */
export function beginGradients(
  offsets: usize,
  steps: i32,
  batch: i32,
  history: i32,
  dState: usize,
  stateRow: i32,
  dx: usize,
  dxRow: i32,
  width: i32,
): void {
  const rows = load<i32>(offsets + (steps << 2));
  for (let r = 0; r < rows; r++) memory.fill(dx + r * dxRow, 0, (width + 15) & ~15);
  for (let place = 0; dState && place < batch; place++) {
    const valid = validSteps(offsets, steps, place);
    if (valid == 0) continue;
    for (let j = history - 1; j >= 0; j--) {
      const from = dState + (j * batch + place) * stateRow;
      const step = valid - history + j;
      if (step < 0) {
        memory.copy(dState + ((valid + j) * batch + place) * stateRow, from, stateRow);
      } else {
        memory.copy(dx + rowAt(offsets, step, place) * dxRow, from, width);
      }
      memory.fill(from, 0, stateRow);
    }
  }
}

// @ts-ignore: decorator
@inline
function source(d: Rows, row: i32): usize {
  return d.from + (d.index ? load<i32>(d.index + (row << 2)) : row) * d.fromRow;
}

/** Rows `first` to `end` of `to` = those of `from`. */
export function gatherRows(d: Rows, first: i32, end: i32): void {
  for (let row = first; row < end; row++) {
    memory.copy(d.to + row * d.toRow, source(d, row), d.width);
  }
}

/** Rows `first` to `end` of `to` += those of `from`. */
export function addRows(d: Rows, first: i32, end: i32): void {
  for (let row = first; row < end; row++) {
    addToRows(d.to + row * d.toRow, 0, 1, (d.width + 15) >> 4, source(d, row));
  }
}

/**
 * Rows of a batch as a caller has them, [T, B, W] or [B, T, W], and as a pass has them: longest
 * first, and only the valid ones; see `Sequence`.
 */
@unmanaged
export class Sorting {
  steps: i32;
  /** Rows that a step may have. */
  places: i32;
  /** W, in numbers. */
  width: i32;
  /** Bytes from row to row of the pass. */
  row: i32;
  /** Bytes from step to step of the caller's rows, and from sequence to sequence. */
  stepBytes: i32;
  sequenceBytes: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  /** i32 in: the caller's row at each place, or 0 where it is the same. */
  order: usize;
  sorted: usize;
  given: usize;
}

/** to [n] = from [n], of numbers of any kind. */
// @ts-ignore: decorator
@inline
function copyRow(to: usize, from: usize, n: i32): void {
  const end = to + (n << 2);
  for (; to + 64 <= end; to += 64) {
    const a = v128.load(from);
    const b = v128.load(from, 16);
    const c = v128.load(from, 32);
    const d = v128.load(from, 48);
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    from += 64;
  }
  for (; to + 16 <= end; to += 16) {
    v128.store(to, v128.load(from));
    from += 16;
  }
  for (; to < end; to += 4) {
    store<i32>(to, load<i32>(from));
    from += 4;
  }
}

/** Sorts the rows of a caller; or brings rows of a pass back, and zeros for those not there. */
export function sortRows(descriptor: usize, isBack: bool): void {
  const d = changetype<Sorting>(descriptor);
  // Read once: no compiler knows that rows do not lie over the descriptor.
  const width = d.width;
  const row = d.row;
  const order = d.order;
  const sequenceBytes = d.sequenceBytes;
  const isDense = order != 0 && sequenceBytes == row && row == width << 2;
  let sorted = d.sorted;
  let step = d.given;
  for (let t = 0; t < d.steps; t++, step += d.stepBytes) {
    const active = load<i32>(d.offsets + (t << 2), 4) - load<i32>(d.offsets + (t << 2));
    for (let place = 0; place < active;) {
      const own = order ? load<i32>(order + (place << 2)) : place;
      let count = 1;
      const next = order + (place << 2);
      while (isDense && place + count < active) {
        if (load<i32>(next + (count << 2)) != own + count) break;
        count++;
      }
      const given = step + own * sequenceBytes;
      if (isBack) copyRow(given, sorted, count * width);
      else copyRow(sorted, given, count * width);
      place += count;
      sorted += count * row;
    }
    for (let place = active; isBack && place < d.places; place++) {
      const own = order ? load<i32>(order + (place << 2)) : place;
      copyTap(step + own * sequenceBytes, 0, width);
    }
  }
}

/** Rows of steps side by side, [R, T W], and the same as rows of their own, step after step. */
@unmanaged
export class Fold {
  steps: i32;
  /** R, and bytes of one of its rows that count. */
  rows: i32;
  total: i32;
  /** Bytes of a step, and from row to row of both. */
  width: i32;
  foldedRow: i32;
  stepRow: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  folded: usize;
  unfolded: usize;
}

/** Steps side by side from rows of their own, zeros for those that are not there; or back. */
export function fold(descriptor: usize, isBack: bool): void {
  const d = changetype<Fold>(descriptor);
  for (let row = 0; row < d.rows && !isBack; row++) {
    memory.fill(d.folded + row * d.foldedRow, 0, d.total);
  }
  if (d.rows == 1 && d.stepRow == d.width) {
    // They lie in the same order.
    const bytes = load<i32>(d.offsets + (d.steps << 2)) * d.width;
    return memory.copy(isBack ? d.unfolded : d.folded, isBack ? d.folded : d.unfolded, bytes);
  }
  for (let t = 0; t < d.steps; t++) {
    const first = load<i32>(d.offsets + (t << 2));
    const end = load<i32>(d.offsets + (t << 2), 4);
    for (let row = first; row < end; row++) {
      const side = d.folded + (row - first) * d.foldedRow + t * d.width;
      const own = d.unfolded + row * d.stepRow;
      copyTap(isBack ? own : side, isBack ? side : own, d.width >> 2);
    }
  }
}

export function gatherAllRows(descriptor: usize): void {
  const d = changetype<Rows>(descriptor);
  gatherRows(d, 0, d.rows);
}

export function addAllRows(descriptor: usize): void {
  const d = changetype<Rows>(descriptor);
  addRows(d, 0, d.rows);
}
