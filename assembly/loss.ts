/**
 * Losses of M rows of outputs, and their gradients in the place of the outputs. Rows are padded to whole vectors; the padding's
 * gradient is zero.
 *
 *   cross-entropy   L = log(sum of e^(x_j - m)) + m - x_target       dL/dx_j = e^(x_j - m) / sum - [j = target]       m = max x
 *   squared error   L = sum of (x_j - target_j)^2                    dL/dx_j = 2 (x_j - target_j)
 */

import { exponential } from './math';
import { flush, largest, sum } from './simd';

/** Sum of n numbers in float64, one after the other. */
export function total(values: usize, n: i32): f64 {
  let x: f64 = 0;
  for (let k = 0; k < n; k++) x += <f64>load<f32>(values + (k << 2));
  return x;
}

/** The largest of n numbers; NaN if one of them is. The padding behind them is set so low that its exponentials vanish. */
function prepareRow(row: usize, n: i32): f32 {
  const padded = (n + 3) & ~3;
  for (let k = n; k < padded; k++) store<f32>(row + (k << 2), -f32.MAX_VALUE);
  let high = v128.load(row);
  for (let k = 4; k < padded; k += 4) high = f32x4.max(high, v128.load(row + (k << 2)));
  return largest(high);
}

/** row = e^(beta (row - high)); returns the sum. */
function exponentials(row: usize, n: i32, high: f32, beta: f32): f32 {
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

function multiply(row: usize, n: i32, factor: f32): void {
  const x = f32x4.splat(factor);
  for (let k = 0; k < n; k += 4) {
    const p = row + (k << 2);
    v128.store(p, f32x4.mul(v128.load(p), x));
  }
}

/** Probabilities in the place of n logits: e^(beta x) / sum. */
export function softmax(row: usize, n: i32, beta: f32): void {
  const high = prepareRow(row, n);
  multiply(row, n, 1 / exponentials(row, n, high, beta));
}

/** losses [M] and, in the place of the logits y [M, n], `scale` times the gradient of their sum. */
export function crossEntropy(
  y: usize,
  yRow: i32,
  targets: usize,
  losses: usize,
  rows: i32,
  n: i32,
  scale: f32,
): void {
  for (let r = 0; r < rows; r++) {
    const target = y + (load<i32>(targets) << 2);
    const high = prepareRow(y, n);
    const chosen = load<f32>(target);
    const sums = exponentials(y, n, high, 1);
    store<f32>(losses, Mathf.log(sums) + (high - chosen));
    multiply(y, n, scale / sums);
    store<f32>(target, load<f32>(target) - scale);
    y += yRow;
    targets += 4;
    losses += 4;
  }
}

/** losses [M] and, in the place of y [M, n], `scale` times the gradient of their sum. Targets [M, n] are dense. */
export function squaredError(
  y: usize,
  yRow: i32,
  targets: usize,
  losses: usize,
  rows: i32,
  n: i32,
  scale: f32,
): void {
  const padded = (n + 3) & ~3;
  for (let r = 0; r < rows; r++) {
    let loss: f32 = 0;
    for (let k = 0; k < n; k++) {
      const p = y + (k << 2);
      const difference = load<f32>(p) - load<f32>(targets);
      loss += difference * difference;
      store<f32>(p, 2 * scale * difference);
      targets += 4;
    }
    for (let k = n; k < padded; k++) store<f32>(y + (k << 2), 0);
    store<f32>(losses, loss);
    y += yRow;
    losses += 4;
  }
}
