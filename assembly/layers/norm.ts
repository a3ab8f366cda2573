/**
 * Layer normalisation (Ba et al. 2016) of rows: `blocks` blocks of n numbers each, all of them
 * together, padding between them left out.
 *
 *   x^ = (x - mean) / sqrt(var + 1e-5)        y = gamma x^ + beta
 *   dx = (g - mean(g) - x^ mean(g x^)) / sqrt(var + 1e-5),  g = dy gamma        dgamma += dy x^
 */

import { madd } from '../base/simd';

const EPSILON: f64 = 1e-5;

/**
 * hat [rows, N] = x^, inverse [rows] = 1 / sqrt(var + 1e-5). Rows of both are `row` bytes apart,
 * blocks `block` bytes.
 */
export function standardise(
  hat: usize,
  inverse: usize,
  x: usize,
  row: i32,
  rows: i32,
  blocks: i32,
  block: i32,
  n: i32,
): void {
  const count = <f64>(blocks * n);
  const width = n << 2;
  for (let r = 0; r < rows; r++) {
    let sum: f64 = 0;
    for (let b = 0; b < blocks; b++) {
      for (let k = 0; k < width; k += 4) sum += load<f32>(x + b * block + k);
    }
    const mean = sum / count;
    let squares: f64 = 0;
    for (let b = 0; b < blocks; b++) {
      for (let k = 0; k < width; k += 4) {
        const d = <f64>load<f32>(x + b * block + k) - mean;
        squares += d * d;
      }
    }
    const scale = 1 / sqrt<f64>(squares / count + EPSILON);
    for (let b = 0; b < blocks; b++) {
      for (let k = 0; k < width; k += 4) {
        const at = b * block + k;
        store<f32>(hat + at, <f32>((<f64>load<f32>(x + at) - mean) * scale));
      }
    }
    store<f32>(inverse, <f32>scale);
    x += row;
    hat += row;
    inverse += 4;
  }
}

/** y [rows, N] = gamma x^ + beta, which may be absent (0). */
export function stretch(
  y: usize,
  hat: usize,
  row: i32,
  rows: i32,
  width: i32,
  gamma: usize,
  beta: usize,
): void {
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < width; k += 16) {
      const scaled = f32x4.mul(v128.load(gamma + k), v128.load(hat + k));
      v128.store(y + k, beta ? f32x4.add(scaled, v128.load(beta + k)) : scaled);
    }
    y += row;
    hat += row;
  }
}

/**
 * d [rows, N]: dL/dy, then dL/dx. Adds to dgamma and, unless it is 0, dbeta; the last row first.
 */
export function normBackward(
  d: usize,
  hat: usize,
  inverse: usize,
  row: i32,
  rows: i32,
  blocks: i32,
  block: i32,
  n: i32,
  gamma: usize,
  dGamma: usize,
  dBeta: usize,
): void {
  const count = <f64>(blocks * n);
  const width = n << 2;
  const all = blocks * block;
  for (let r = rows - 1; r >= 0; r--) {
    const dy = d + r * row;
    const h = hat + r * row;
    for (let k = 0; k < all; k += 16) {
      const x = v128.load(dy + k);
      v128.store(dGamma + k, madd(x, v128.load(h + k), v128.load(dGamma + k)));
      if (dBeta) v128.store(dBeta + k, f32x4.add(v128.load(dBeta + k), x));
      v128.store(dy + k, f32x4.mul(x, v128.load(gamma + k)));
    }
    let sum: f64 = 0;
    let products: f64 = 0;
    for (let k = 0; k < all; k += 4) {
      const g = <f64>load<f32>(dy + k);
      sum += g;
      products += g * <f64>load<f32>(h + k);
    }
    const mean = sum / count;
    const slope = products / count;
    const scale = <f64>load<f32>(inverse + (r << 2));
    for (let b = 0; b < blocks; b++) {
      for (let k = 0; k < width; k += 4) {
        const at = b * block + k;
        const g = <f64>load<f32>(dy + at) - mean - <f64>load<f32>(h + at) * slope;
        store<f32>(dy + at, <f32>(g * scale));
      }
    }
  }
}
