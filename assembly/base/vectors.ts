/** What is done to arrays of n numbers, a multiple of four, whatever they mean. */

import { narrow, sumWide, widenHigh, widenLow } from './simd';

/** The sum of their squares, in float64. */
export function sumOfSquares(values: usize, n: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let k = 0; k < n; k += 4) {
    const x = v128.load(values + (k << 2));
    const a = widenLow(x);
    const b = widenHigh(x);
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  return sumWide(low, high);
}

/** values *= factor */
export function scaleValues(values: usize, n: i32, factor: f32): void {
  const x = f32x4.splat(factor);
  for (let k: usize = 0; k < (<usize>n) << 2; k += 16) {
    v128.store(values + k, f32x4.mul(x, v128.load(values + k)));
  }
}

/** Brings each into [-limit, limit]. */
export function clampValues(values: usize, n: i32, limit: f32): void {
  const high = f32x4.splat(limit);
  const low = f32x4.splat(-limit);
  for (let k: usize = 0; k < (<usize>n) << 2; k += 16) {
    v128.store(values + k, f32x4.pmax(f32x4.pmin(v128.load(values + k), high), low));
  }
}

/**
 * to [rows, vectors] += a row, or nothing where that is 0. A bias is added to finished sums: where
 * the rest of a sum cancels a large one, no sum of both has rounded on the way.
 */
export function addToRows(to: usize, toRow: i32, rows: i32, vectors: i32, row: usize): void {
  for (; row && rows > 0; rows--) {
    for (let k: usize = 0; k < (<usize>vectors) << 4; k += 16) {
      v128.store(to + k, f32x4.add(v128.load(to + k), v128.load(row + k)));
    }
    to += toRow;
  }
}

/** sums [4] f64 += x */
// @ts-ignore: decorator
@inline
export function addWide(sums: usize, x: v128): void {
  v128.store(sums, f64x2.add(v128.load(sums), widenLow(x)));
  v128.store(sums, f64x2.add(v128.load(sums, 16), widenHigh(x)), 16);
}

/** sums [4] f64 += x y */
// @ts-ignore: decorator
@inline
export function addWideProduct(sums: usize, x: v128, y: v128): void {
  const low = f64x2.mul(widenLow(x), widenLow(y));
  const high = f64x2.mul(widenHigh(x), widenHigh(y));
  v128.store(sums, f64x2.add(v128.load(sums), low));
  v128.store(sums, f64x2.add(v128.load(sums, 16), high), 16);
}

/** values += sums, which are float64 and become zero. */
export function takeSums(values: usize, sums: usize, n: i32): void {
  for (let k = 0; k < n; k += 4) {
    const to = values + (k << 2);
    const from = sums + (k << 3);
    const x = narrow(v128.load(from), v128.load(from, 16));
    v128.store(to, f32x4.add(v128.load(to), x));
  }
  memory.fill(sums, 0, n << 3);
}

/** What rounding has taken from a sum of a and b (Knuth). */
// @ts-ignore: decorator
@inline
export function lostIn(sum: v128, a: v128, b: v128): v128 {
  const own = f32x4.sub(sum, a);
  return f32x4.add(f32x4.sub(a, f32x4.sub(sum, own)), f32x4.sub(b, own));
}

/**
 * rest += sums, of which what rounding takes away stays. The error of many rows is then that of one
 * block of them.
 */
export function putAside(sums: usize, rest: usize, n: i32): void {
  for (let k: usize = 0; k < (<usize>n) << 2; k += 16) {
    const a = v128.load(rest + k);
    const b = v128.load(sums + k);
    const sum = f32x4.add(a, b);
    v128.store(rest + k, sum);
    v128.store(sums + k, lostIn(sum, a, b));
  }
}

/** values += rest, which becomes zero. */
export function takeRest(values: usize, rest: usize, n: i32): void {
  addToRows(values, 0, 1, n >> 2, rest);
  memory.fill(rest, 0, n << 2);
}
