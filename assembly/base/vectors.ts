/** What is done to arrays of n numbers, a multiple of four, whatever they mean. */

import { sumWide, widenHigh, widenLow } from './simd';

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
