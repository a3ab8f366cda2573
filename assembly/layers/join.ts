/**
 * Two sources feature by feature, and the way back:
 *
 *   add        y = a + b            da = dy        db = dy
 *   subtract   y = a - b            da = dy        db = -dy
 *   multiply   y = a b              da = dy b      db = dy a
 *   divide     y = a / b            da = dy / b    db = -da a / b
 *   mean       y = (a + b) / 2      da = dy / 2    db = dy / 2
 *
 * A source of one feature stands beside every feature of the other; its gradient is the sum over
 * them. The gradients may take the place of their sources.
 */

import { firstLanes, sum } from '../base/simd';
import * as codes from '../shared/codes';

/** Two sources as one, row by row. */
@unmanaged
export class Join {
  mode: i32;
  /** M */
  rows: i32;
  /** Bytes of a row of the outputs that count. */
  width: i32;
  /** Bytes from row to row, of gradients as well. */
  outRow: i32;
  aRow: i32;
  bRow: i32;
  daRow: i32;
  dbRow: i32;
  /** Whether the source has one feature for all. */
  isOneA: i32;
  isOneB: i32;
  /** [M, *] in */
  a: usize;
  b: usize;
  out: usize;
  /** in: gradient of the outputs; out: of both sources. */
  dOut: usize;
  da: usize;
  db: usize;
}

/** Four features from `k` on, or the first of those that are left in every lane. */
// @ts-ignore: decorator
@inline
export function at(row: usize, k: i32, isOne: bool, isWhole: bool): v128 {
  if (isOne) return v128.load_splat<f32>(row);
  return isWhole ? v128.load(row + k) : v128.load_splat<f32>(row + k);
}

// @ts-ignore: decorator
@inline
export function put(row: usize, k: i32, v: v128, isWhole: bool): void {
  if (isWhole) v128.store(row + k, v);
  else v128.store_lane<f32>(row + k, v, 0);
}

export function joinForward(descriptor: usize): void {
  const d = changetype<Join>(descriptor);
  const mode = d.mode;
  for (let r = 0; r < d.rows; r++) {
    const a = d.a + r * d.aRow;
    const b = d.b + r * d.bRow;
    const out = d.out + r * d.outRow;
    for (let k = 0; k < d.width;) {
      const isWhole = k + 16 <= d.width;
      const x = at(a, k, d.isOneA != 0, isWhole);
      const y = at(b, k, d.isOneB != 0, isWhole);
      let z: v128;
      if (mode == codes.JOIN_MULTIPLY) z = f32x4.mul(x, y);
      else if (mode == codes.JOIN_DIVIDE) z = f32x4.div(x, y);
      else if (mode == codes.JOIN_SUBTRACT) z = f32x4.sub(x, y);
      else z = f32x4.add(x, y);
      if (mode == codes.JOIN_MEAN) z = f32x4.mul(f32x4.splat(0.5), z);
      put(out, k, z, isWhole);
      k += isWhole ? 16 : 4;
    }
  }
}

export function joinBackward(descriptor: usize): void {
  const d = changetype<Join>(descriptor);
  const mode = d.mode;
  for (let r = 0; r < d.rows; r++) {
    const a = d.a + r * d.aRow;
    const b = d.b + r * d.bRow;
    const dOut = d.dOut + r * d.outRow;
    let allA = f32x4.splat(0);
    let allB = f32x4.splat(0);
    for (let k = 0; k < d.width;) {
      const isWhole = k + 16 <= d.width;
      const x = at(a, k, d.isOneA != 0, isWhole);
      const y = at(b, k, d.isOneB != 0, isWhole);
      let g = at(dOut, k, false, isWhole);
      let h = g;
      if (mode == codes.JOIN_MULTIPLY) {
        h = f32x4.mul(g, x);
        g = f32x4.mul(g, y);
      } else if (mode == codes.JOIN_DIVIDE) {
        g = f32x4.div(g, y);
        h = f32x4.neg(f32x4.div(f32x4.mul(g, x), y));
      } else if (mode == codes.JOIN_SUBTRACT) h = f32x4.neg(h);
      else if (mode == codes.JOIN_MEAN) h = g = f32x4.mul(f32x4.splat(0.5), g);
      const lanes = firstLanes(isWhole ? 4 : 1);
      if (d.isOneA) allA = f32x4.add(allA, v128.and(g, lanes));
      else put(d.da + r * d.daRow, k, g, isWhole);
      if (d.isOneB) allB = f32x4.add(allB, v128.and(h, lanes));
      else put(d.db + r * d.dbRow, k, h, isWhole);
      k += isWhole ? 16 : 4;
    }
    if (d.isOneA) store<f32>(d.da + r * d.daRow, sum(allA));
    if (d.isOneB) store<f32>(d.db + r * d.dbRow, sum(allB));
  }
}
