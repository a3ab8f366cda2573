/**
 * Rows on their way between layers: in another order, and two directions as one. Strides and widths
 * in bytes.
 */

import * as codes from '../shared/codes';

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

/**
 * Copies `outer` x `inner` rows of `width` bytes between buffers whose rows lie apart, e.g. [T, B,
 * Hp] to [B, T, H].
 */
export function copyRows(
  to: usize,
  toOuter: i32,
  toInner: i32,
  from: usize,
  fromOuter: i32,
  fromInner: i32,
  outer: i32,
  inner: i32,
  width: i32,
): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      memory.copy(to + o * toOuter + i * toInner, from + o * fromOuter + i * fromInner, width);
    }
  }
}

/** to [M, W] = rows index [M] of `from`. */
export function gatherRows(
  to: usize,
  toRow: i32,
  from: usize,
  fromRow: i32,
  index: usize,
  rows: i32,
  width: i32,
): void {
  for (let r = 0; r < rows; r++) {
    memory.copy(to + r * toRow, from + load<i32>(index + (r << 2)) * fromRow, width);
  }
}

/** to [M, W] += rows index [M] of `from`. */
export function addGatheredRows(
  to: usize,
  toRow: i32,
  from: usize,
  fromRow: i32,
  index: usize,
  rows: i32,
  width: i32,
): void {
  for (let r = 0; r < rows; r++) {
    const target = to + r * toRow;
    const source = from + load<i32>(index + (r << 2)) * fromRow;
    for (let k = 0; k < width; k += 4) {
      store<f32>(target + k, load<f32>(target + k) + load<f32>(source + k));
    }
  }
}

/**
 * out = both directions as one, row by row: one behind the other, or a + b, a b, (a + b) / 2. Rows
 * of a and b are whole vectors, `width` bytes of them count.
 */
export function mergeForward(
  mode: i32,
  out: usize,
  outRow: i32,
  a: usize,
  b: usize,
  row: i32,
  rows: i32,
  width: i32,
): void {
  const half = f32x4.splat(0.5);
  for (let r = 0; r < rows; r++) {
    if (mode == codes.MERGE_CONCAT) {
      memory.copy(out, a, width);
      memory.copy(out + width, b, width);
    } else {
      for (let k = 0; k < width; k += 16) {
        const x = v128.load(a + k);
        const y = v128.load(b + k);
        let z = mode == codes.MERGE_MUL ? f32x4.mul(x, y) : f32x4.add(x, y);
        if (mode == codes.MERGE_AVE) z = f32x4.mul(half, z);
        v128.store(out + k, z);
      }
    }
    out += outRow;
    a += row;
    b += row;
  }
}

/** da, db from dOut: the parts, or dOut, dOut b and dOut a, dOut / 2. */
export function mergeBackward(
  mode: i32,
  dOut: usize,
  outRow: i32,
  a: usize,
  b: usize,
  da: usize,
  db: usize,
  row: i32,
  rows: i32,
  width: i32,
): void {
  const scale = f32x4.splat(mode == codes.MERGE_AVE ? 0.5 : 1);
  for (let r = 0; r < rows; r++) {
    if (mode == codes.MERGE_CONCAT) {
      memory.copy(da, dOut, width);
      memory.copy(db, dOut + width, width);
    } else {
      for (let k = 0; k < width; k += 16) {
        const d = f32x4.mul(scale, v128.load(dOut + k));
        const isProduct = mode == codes.MERGE_MUL;
        v128.store(da + k, isProduct ? f32x4.mul(d, v128.load(b + k)) : d);
        v128.store(db + k, isProduct ? f32x4.mul(d, v128.load(a + k)) : d);
      }
    }
    dOut += outRow;
    a += row;
    b += row;
    da += row;
    db += row;
  }
}
