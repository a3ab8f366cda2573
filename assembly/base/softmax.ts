/** Exponentials of a row of n elements, whose padding goes up to a multiple of four. */

import { exponential } from './math';
import { flush, largest, sum } from './simd';

/**
 * The largest of n elements; NaN if one of them is. The padding after them is set so low that its
 * exponentials vanish.
 */
export function prepareRow(row: usize, n: i32): f32 {
  const padded = (n + 3) & ~3;
  for (let k = n; k < padded; k++) store<f32>(row + (k << 2), -f32.MAX_VALUE);
  let high = v128.load(row);
  for (let k = 4; k < padded; k += 4) high = f32x4.max(high, v128.load(row + (k << 2)));
  return largest(high);
}

/** row = e^(beta (row - high)); returns the sum. */
export function exponentials(row: usize, n: i32, high: f32, beta: f32): f32 {
  const shift = f32x4.splat(high);
  const slope = f32x4.splat(beta);
  let sums = f32x4.splat(0);
  for (let k = 0; k < n; k += 4) {
    const p = row + (k << 2);
    const e = flush(exponential(f32x4.mul(f32x4.sub(v128.load(p), shift), slope)));
    v128.store(p, e);
    sums = f32x4.add(sums, e);
  }
  return sum(sums);
}

export function multiply(row: usize, n: i32, factor: f32): void {
  const x = f32x4.splat(factor);
  for (let k = 0; k < n; k += 4) {
    const p = row + (k << 2);
    v128.store(p, f32x4.mul(v128.load(p), x));
  }
}

/** Probabilities in the place of n logits: e^(beta x) / sum; zeros in the padding. */
export function softmax(row: usize, n: i32, beta: f32): void {
  const high = prepareRow(row, n);
  multiply(row, n, 1 / exponentials(row, n, high, beta));
}
