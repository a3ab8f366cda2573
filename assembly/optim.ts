/**
 * Optimizers as PyTorch defines them, over all parameters as one vector; every gradient g is first scaled (clipping) and, but for
 * AdamW, gets weight decay added: g = scale * g + decay * p.
 *
 *   sgd       b = mu b + (1 - dampening) g          p -= rate b, Nesterov: p -= rate (g + mu b)
 *   rmsprop   v = a v + (1 - a) g^2                 p -= rate g / (sqrt(v) + eps)
 *   adagrad   v = v + g^2                           p -= rate g / (sqrt(v) + eps)
 *   adam      m = b1 m + (1 - b1) g                 p -= rate m^ / (sqrt(v^) + eps)
 *             v = b2 v + (1 - b2) g^2               m^ = m / (1 - b1^t), v^ = v / (1 - b2^t)
 *   adamw     as adam, after p *= 1 - rate decay
 *
 * Moments below 1e-30 become zero.
 */

import { Update } from './layout';
import { flush, madd, nmadd } from './simd';
import * as codes from './shared/codes';

/** Sum of squares of n numbers (a multiple of four) in float64. */
export function sumOfSquares(values: usize, n: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let k = 0; k < n; k += 4) {
    const x = v128.load(values + (k << 2));
    const a = f64x2.promote_low_f32x4(x);
    const b = f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
}

/** values [n] *= factor */
export function scaleValues(values: usize, n: i32, factor: f32): void {
  const x = f32x4.splat(factor);
  for (let k = 0; k < n << 2; k += 16) v128.store(values + k, f32x4.mul(x, v128.load(values + k)));
}

/** values [n], each brought into [-limit, limit] */
export function clampValues(values: usize, n: i32, limit: f32): void {
  const high = f32x4.splat(limit);
  const low = f32x4.splat(-limit);
  for (let k = 0; k < n << 2; k += 16) {
    v128.store(values + k, f32x4.pmax(f32x4.pmin(v128.load(values + k), high), low));
  }
}

function sgd(u: Update): void {
  const scale = f32x4.splat(u.scale);
  const rate = f32x4.splat(u.rate);
  const decay = f32x4.splat(u.weightDecay);
  const mu = f32x4.splat(u.decayFirst);
  const weight = f32x4.splat(u.weightFirst);
  for (let k: usize = 0; k < (<usize>u.count) << 2; k += 16) {
    const p = v128.load(u.parameters + k);
    let g = madd(decay, p, f32x4.mul(scale, v128.load(u.gradients + k)));
    if (u.first) {
      const b = flush(madd(mu, v128.load(u.first + k), f32x4.mul(weight, g)));
      v128.store(u.first + k, b);
      g = u.nesterov ? madd(mu, b, g) : b;
    }
    v128.store(u.parameters + k, nmadd(rate, g, p));
  }
}

/** RMSProp, or Adagrad where squares add up instead of fading. */
function rmsprop(u: Update, adds: bool): void {
  const scale = f32x4.splat(u.scale);
  const rate = f32x4.splat(u.rate);
  const decay = f32x4.splat(u.weightDecay);
  const alpha = f32x4.splat(adds ? 1 : u.decaySecond);
  const rest = f32x4.splat(adds ? 1 : 1 - u.decaySecond);
  const epsilon = f32x4.splat(u.epsilon);
  for (let k: usize = 0; k < (<usize>u.count) << 2; k += 16) {
    const p = v128.load(u.parameters + k);
    const g = madd(decay, p, f32x4.mul(scale, v128.load(u.gradients + k)));
    const v = flush(madd(alpha, v128.load(u.second + k), f32x4.mul(rest, f32x4.mul(g, g))));
    v128.store(u.second + k, v);
    const step = f32x4.div(g, f32x4.add(f32x4.sqrt(v), epsilon));
    v128.store(u.parameters + k, nmadd(rate, step, p));
  }
}

function adam(u: Update, decoupled: bool): void {
  const scale = f32x4.splat(u.scale);
  const rate = f32x4.splat(u.rate);
  const decay = f32x4.splat(decoupled ? 1 - u.rate * u.weightDecay : u.weightDecay);
  const beta1 = f32x4.splat(u.decayFirst);
  const rest1 = f32x4.splat(u.weightFirst);
  const beta2 = f32x4.splat(u.decaySecond);
  const rest2 = f32x4.splat(1 - u.decaySecond);
  const epsilon = f32x4.splat(u.epsilon);
  const correction1 = f32x4.splat(u.correctionFirst);
  const correction2 = f32x4.splat(u.correctionSecond);
  for (let k: usize = 0; k < (<usize>u.count) << 2; k += 16) {
    let p = v128.load(u.parameters + k);
    let g = f32x4.mul(scale, v128.load(u.gradients + k));
    if (decoupled) p = f32x4.mul(decay, p);
    else g = madd(decay, p, g);
    const m = flush(madd(beta1, v128.load(u.first + k), f32x4.mul(rest1, g)));
    const v = flush(madd(beta2, v128.load(u.second + k), f32x4.mul(rest2, f32x4.mul(g, g))));
    v128.store(u.first + k, m);
    v128.store(u.second + k, v);
    const root = f32x4.sqrt(f32x4.mul(v, correction2));
    const step = f32x4.div(f32x4.mul(m, correction1), f32x4.add(root, epsilon));
    v128.store(u.parameters + k, nmadd(rate, step, p));
  }
}

export function update(u: Update): void {
  switch (u.optimizer) {
    case codes.OPTIMIZER_SGD:
      return sgd(u);
    case codes.OPTIMIZER_RMSPROP:
      return rmsprop(u, false);
    case codes.OPTIMIZER_ADAGRAD:
      return rmsprop(u, true);
    case codes.OPTIMIZER_ADAM:
      return adam(u, false);
    case codes.OPTIMIZER_ADAMW:
      return adam(u, true);
  }
}
