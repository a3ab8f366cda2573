/**
 * Optimizers over parameters p as one vector. Every gradient is scaled first (clipping) and gets
 * weight decay added, or p is shrunk instead: g = scale g + decay p,  p = keep p.
 *
 *   sgd       b = mu b + w g                  p -= rate b, Nesterov: p -= rate (g + mu b)
 *   rmsprop   v = a v + w2 g^2                p -= rate g / (sqrt(v + inside) + eps), with momentum
 *   adagrad   a = w2 = 1                      b = mu b + w g / (...),  p -= rate b
 *   adam      m = b1 m + w g                  p -= rate c1 m / (sqrt(c2 v) + eps)
 *             v = b2 v + w2 g^2
 *
 * What PyTorch's and Keras' forms make of these numbers is in src/training/optim/optimizer.ts.
 * Moments below 1e-30 become zero; where the root of one is then 0, steps are at most the rate.
 */

import { flush, madd, nmadd } from '../base/simd';
import * as codes from '../shared/codes';

/** One pass of an optimizer over n numbers (a multiple of four). */
@unmanaged
export class Update {
  optimizer: i32;
  count: i32;
  /** inout */
  parameters: usize;
  /** in; multiplied by `scale` first. */
  gradients: usize;
  /** inout: momentum or first moment; 0 where the optimizer has none. */
  first: usize;
  /** inout: second moment; 0 where the optimizer has none. */
  second: usize;
  scale: f32;
  rate: f32;
  /** Momentum, or the decay of the first moment, and the weight of what is new in it. */
  decayFirst: f32;
  weightFirst: f32;
  decaySecond: f32;
  weightSecond: f32;
  /** Added to the root, and under it. */
  epsilon: f32;
  epsilonInside: f32;
  /** Share of the parameters that is added to their gradients. */
  weightDecay: f32;
  /** Share of the parameters that stays before they move. */
  keep: f32;
  /** Adam's factors of both moments. */
  correctionFirst: f32;
  correctionSecond: f32;
  nesterov: i32;
}

/** Vector k of the gradients, scaled, with its share of the parameters. */
// @ts-ignore: decorator
@inline
function gradient(u: Update, k: usize, p: v128): v128 {
  const scaled = f32x4.mul(f32x4.splat(u.scale), v128.load(u.gradients + k));
  // Without decay a parameter that is not finite is nobody's business: 0 times it would be NaN.
  if (u.weightDecay == 0) return scaled;
  return madd(f32x4.splat(u.weightDecay), p, scaled);
}

/** p -= rate step, from p shrunk. */
// @ts-ignore: decorator
@inline
function move(u: Update, k: usize, p: v128, step: v128): void {
  const kept = f32x4.mul(f32x4.splat(u.keep), p);
  v128.store(u.parameters + k, nmadd(f32x4.splat(u.rate), step, kept));
}

/**
 * x / (root + epsilon). Where the second moment was flushed, the root is 0 and x may be more than
 * what is left of the divisor: it is divided by its own size then, so that no step is above 1, and
 * nothing at all stays nothing.
 */
// @ts-ignore: decorator
@inline
function ratio(x: v128, root: v128, epsilon: f32): v128 {
  const zero = f32x4.splat(0);
  const eps = f32x4.splat(epsilon);
  const least = f32x4.max(eps, f32x4.abs(x));
  const divisor = v128.bitselect(least, f32x4.add(root, eps), f32x4.eq(root, zero));
  return v128.and(f32x4.div(x, divisor), f32x4.ne(divisor, zero));
}

/** moment = flush(decay moment + weight x) */
// @ts-ignore: decorator
@inline
function accumulate(moment: usize, decay: f32, weight: f32, x: v128): v128 {
  const weighted = f32x4.mul(f32x4.splat(weight), x);
  const m = flush(madd(f32x4.splat(decay), v128.load(moment), weighted));
  v128.store(moment, m);
  return m;
}

function sgd(u: Update): void {
  for (let k: usize = 0; k < (<usize>u.count) << 2; k += 16) {
    const p = v128.load(u.parameters + k);
    let g = gradient(u, k, p);
    if (u.first) {
      const b = accumulate(u.first + k, u.decayFirst, u.weightFirst, g);
      g = u.nesterov ? madd(f32x4.splat(u.decayFirst), b, g) : b;
    }
    move(u, k, p, g);
  }
}

function rmsprop(u: Update): void {
  for (let k: usize = 0; k < (<usize>u.count) << 2; k += 16) {
    const p = v128.load(u.parameters + k);
    const g = gradient(u, k, p);
    const v = accumulate(u.second + k, u.decaySecond, u.weightSecond, f32x4.mul(g, g));
    const root = f32x4.sqrt(f32x4.add(v, f32x4.splat(u.epsilonInside)));
    let step = ratio(g, root, u.epsilon);
    if (u.first) step = accumulate(u.first + k, u.decayFirst, u.weightFirst, step);
    move(u, k, p, step);
  }
}

function adam(u: Update): void {
  for (let k: usize = 0; k < (<usize>u.count) << 2; k += 16) {
    const p = v128.load(u.parameters + k);
    const g = gradient(u, k, p);
    const m = accumulate(u.first + k, u.decayFirst, u.weightFirst, g);
    const v = accumulate(u.second + k, u.decaySecond, u.weightSecond, f32x4.mul(g, g));
    const root = f32x4.sqrt(f32x4.mul(v, f32x4.splat(u.correctionSecond)));
    const corrected = f32x4.mul(m, f32x4.splat(u.correctionFirst));
    move(u, k, p, ratio(corrected, root, u.epsilon));
  }
}

export function update(descriptor: usize): void {
  const u = changetype<Update>(descriptor);
  if (u.optimizer == codes.OPTIMIZER_SGD) sgd(u);
  else if (u.optimizer == codes.OPTIMIZER_RMSPROP) rmsprop(u);
  else adam(u);
}
