/**
 * Both directions as one, row by row: one next to the other, or a + b, a b, (a + b) / 2. Rows of a
 * and b are whole vectors, `width` bytes of them count.
 */

import * as codes from '../shared/codes';

/** Two directions as one. */
@unmanaged
export class Merge {
  mode: i32;
  rows: i32;
  /** Bytes of a row of each direction that count. */
  width: i32;
  outRow: i32;
  /** Bytes from row to row of both directions and of their gradients. */
  row: i32;
  /** [M, *] in */
  a: usize;
  b: usize;
  out: usize;
  /** in: gradient of the outputs; out: of both directions. */
  dOut: usize;
  da: usize;
  db: usize;
}

export function mergeForward(descriptor: usize): void {
  const d = changetype<Merge>(descriptor);
  const half = f32x4.splat(0.5);
  const width = d.width;
  for (let r = 0; r < d.rows; r++) {
    const out = d.out + r * d.outRow;
    const a = d.a + r * d.row;
    const b = d.b + r * d.row;
    if (d.mode == codes.MERGE_CONCAT) {
      memory.copy(out, a, width);
      memory.copy(out + width, b, width);
      continue;
    }
    for (let k = 0; k < width; k += 16) {
      const x = v128.load(a + k);
      const y = v128.load(b + k);
      let z = d.mode == codes.MERGE_MUL ? f32x4.mul(x, y) : f32x4.add(x, y);
      if (d.mode == codes.MERGE_AVE) z = f32x4.mul(half, z);
      v128.store(out + k, z);
    }
  }
}

/** da, db from dOut: the parts, or dOut, dOut b and dOut a, dOut / 2. */
export function mergeBackward(descriptor: usize): void {
  const d = changetype<Merge>(descriptor);
  const scale = f32x4.splat(d.mode == codes.MERGE_AVE ? 0.5 : 1);
  const isProduct = d.mode == codes.MERGE_MUL;
  const width = d.width;
  for (let r = 0; r < d.rows; r++) {
    const dOut = d.dOut + r * d.outRow;
    const at = r * d.row;
    if (d.mode == codes.MERGE_CONCAT) {
      memory.copy(d.da + at, dOut, width);
      memory.copy(d.db + at, dOut + width, width);
      continue;
    }
    for (let k = 0; k < width; k += 16) {
      const g = f32x4.mul(scale, v128.load(dOut + k));
      v128.store(d.da + at + k, isProduct ? f32x4.mul(g, v128.load(d.b + at + k)) : g);
      v128.store(d.db + at + k, isProduct ? f32x4.mul(g, v128.load(d.a + at + k)) : g);
    }
  }
}
