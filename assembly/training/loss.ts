/**
 * Losses of M rows of outputs, and their gradients in the place of the outputs. Rows are padded to
 * whole vectors; the padding's gradient is zero.
 *
 *   cross-entropy   L = w_target (log(sum of e^(x_j - m)) + m - x_target)
 *                   dL/dx_j = w_target (e^(x_j - m) / sum - [j = target])
 *                   with m = max x, and w = 1 or the weights of the classes;
 *                   rows of the ignored target count for nothing
 *   elementwise, with d = x - target:
 *   squared         d^2                                                     2 d
 *   absolute        |d|                                                     sign d, 0 at 0
 *   huber           d^2 / 2 up to |d| = delta, then delta (|d| - delta / 2)  d, then delta sign d
 *   binary          max(x, 0) - x target + log(1 + e^-|x|)                  s(x) - target
 */

import { within } from '../base/bounds';
import { exponential, log1p, logarithm } from '../base/math';
import { flushScalar } from '../base/simd';
import { exponentials, multiply, prepareRow } from '../base/softmax';
import * as codes from '../shared/codes';

/**
 * A loss of every row of outputs [M, n]. Rows are padded to whole vectors; the gradient of the
 * padding is 0.
 */
@unmanaged
export class Loss {
  /** `LOSS_CLASSES`, or a loss of single elements. */
  kind: i32;
  /** M */
  rows: i32;
  /** n */
  width: i32;
  /** [M, n] inout: outputs, then their gradients. */
  outputs: usize;
  /** Bytes from row to row. */
  outputRow: i32;
  /** in: classes [M] i32, otherwise values [M, n] f32. */
  targets: usize;
  /** [M] out */
  losses: usize;
  /** Factor of the gradients. */
  scale: f32;
  /** [n] in: the weights of the classes, or 0 for none. */
  weights: usize;
  /** The class that counts for nothing. */
  ignored: i32;
  /** Where Huber's loss becomes straight. */
  delta: f32;
}

/** Sum of n numbers in float64, one after the other. */
export function total(values: usize, n: i32): f64 {
  let x: f64 = 0;
  for (let k = 0; k < n; k++) x += <f64>load<f32>(values + (k << 2));
  return x;
}

/** `x` and the number of targets: of classes that count, or of elements. */
export function count(descriptor: usize, x: f64): f64 {
  const l = changetype<Loss>(descriptor);
  if (l.kind != codes.LOSS_CLASSES) return x + <f64>l.rows * l.width;
  for (let r = 0; r < l.rows; r++) {
    if (load<i32>(l.targets + (r << 2)) != l.ignored) x += 1;
  }
  return x;
}

/** `x` and the weights of these targets: what the mean is over. */
export function weight(descriptor: usize, x: f64): f64 {
  const l = changetype<Loss>(descriptor);
  if (!l.weights) return count(descriptor, x);
  for (let r = 0; r < l.rows; r++) {
    const target = load<i32>(l.targets + (r << 2));
    if (target == l.ignored) continue;
    x += <f64>load<f32>(l.weights + (within(target, l.width) << 2));
  }
  return x;
}

function crossEntropy(l: Loss, first: i32, end: i32): void {
  const n = l.width;
  const ignored = l.ignored;
  let y = l.outputs + first * l.outputRow;
  for (let r = first; r < end; r++) {
    const chosen = load<i32>(l.targets + (r << 2));
    const loss = l.losses + (r << 2);
    if (chosen == ignored) {
      memory.fill(y, 0, ((n + 3) & ~3) << 2);
      store<f32>(loss, 0);
    } else {
      within(chosen, n);
      const weight: f32 = l.weights ? load<f32>(l.weights + (chosen << 2)) : 1;
      const slope = l.scale * weight;
      const target = y + (chosen << 2);
      const high = prepareRow(y, n);
      const distance = high - load<f32>(target);
      // The likeliest class has the term 1, beside which a sum loses small terms of the others: as
      // the target it stays out of the sum.
      const isMost = distance == 0;
      if (isMost) store<f32>(target, -f32.MAX_VALUE);
      const sum = exponentials(y, n, high, 1);
      const sums = isMost ? sum + 1 : sum;
      const others = isMost ? sum : sum - load<f32>(target);
      const log = isMost ? log1p(others) : logarithm(sums) + distance;
      store<f32>(loss, weight * log);
      multiply(y, n, slope / sums);
      store<f32>(target, -slope * (others / sums));
    }
    y += l.outputRow;
  }
}

/** Loss of an element; its gradient goes to `slope`. */
// @ts-ignore: decorator
@inline
function element(kind: i32, x: f32, target: f32, delta: f32, slope: usize, scale: f32): f32 {
  if (kind == codes.LOSS_BINARY) {
    // With q = e / (1 + e) the sigmoid is q below 0, and 1 - q above: taken from 1 there, as the
    // target is, nothing small is lost beside a 1.
    const size = abs<f32>(x);
    const other: f32 = x > 0 ? 1 - target : target;
    const e = flushScalar(f32x4.extract_lane(exponential(f32x4.splat(-size)), 0));
    const error = scale * (e / (1 + e) - other);
    store<f32>(slope, x > 0 ? -error : error);
    return size * other + log1p(e);
  }
  const difference = x - target;
  const size = abs<f32>(difference);
  const isSquare = kind == codes.LOSS_SQUARED || (kind == codes.LOSS_HUBER && size <= delta);
  if (isSquare) {
    const half: f32 = kind == codes.LOSS_HUBER ? 0.5 : 1;
    store<f32>(slope, 2 * half * scale * difference);
    return half * difference * difference;
  }
  const height: f32 = kind == codes.LOSS_HUBER ? delta : 1;
  store<f32>(slope, size == 0 ? 0 : copysign<f32>(height * scale, difference));
  return kind == codes.LOSS_HUBER ? delta * (size - <f32>0.5 * delta) : size;
}

function elements(l: Loss, first: i32, end: i32): void {
  const kind = l.kind;
  const n = l.width;
  const delta = l.delta;
  const scale = l.scale;
  const padded = (n + 3) & ~3;
  let y = l.outputs + first * l.outputRow;
  let target = l.targets + ((first * n) << 2);
  for (let r = first; r < end; r++) {
    let loss: f64 = 0;
    for (let k = 0; k < n; k++) {
      const p = y + (k << 2);
      loss += <f64>element(kind, load<f32>(p), load<f32>(target), delta, p, scale);
      target += 4;
    }
    for (let k = n; k < padded; k++) store<f32>(y + (k << 2), 0);
    store<f32>(l.losses + (r << 2), <f32>loss);
    y += l.outputRow;
  }
}

/**
 * The losses of rows `first` to `end`. `scale` times the gradient of their sum takes the place of
 * the outputs.
 */
export function lossRows(l: Loss, first: i32, end: i32): void {
  if (l.kind == codes.LOSS_CLASSES) crossEntropy(l, first, end);
  else elements(l, first, end);
}

export function lossOfAllRows(descriptor: usize): void {
  const l = changetype<Loss>(descriptor);
  lossRows(l, 0, l.rows);
}

/**
 * Whether logit `chosen` is the first of the largest of n; never where it, or one of them, is NaN.
 */
function isLikeliest(y: usize, chosen: i32, n: i32): bool {
  const value = load<f32>(y + (within(chosen, n) << 2));
  for (let k = 0; k < n; k++) {
    const other = load<f32>(y + (k << 2));
    if (!(k < chosen ? other < value : other <= value)) return false;
  }
  return true;
}

/**
 * `x` and the score of all rows: classes found among logits, logits on the right side of 0 (targets
 * of the binary loss beyond 1/2 want them above), or |y - target| of all elements.
 */
export function score(descriptor: usize, x: f64): f64 {
  const l = changetype<Loss>(descriptor);
  const isOfClasses = l.kind == codes.LOSS_CLASSES;
  const width = isOfClasses ? 1 : l.width;
  let y = l.outputs;
  let at = l.targets;
  for (let r = 0; r < l.rows; r++) {
    for (let k = 0; k < width; k++) {
      if (isOfClasses) {
        const chosen = load<i32>(at);
        if (chosen != l.ignored && isLikeliest(y, chosen, l.width)) x += 1;
      } else {
        const value = load<f32>(y + (k << 2));
        const target = load<f32>(at);
        if (l.kind != codes.LOSS_BINARY) x += <f64>abs<f32>(value - target);
        else if (target > 0.5 ? value > 0 : value <= 0) x += 1;
      }
      at += 4;
    }
    y += l.outputRow;
  }
  return x;
}
