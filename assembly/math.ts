/**
 * exp, sigmoid and tanh of four numbers at once, and their derivatives from the outputs.
 *
 *                 error against float64                        range
 *   exponential   1.9e-7 relative                              exact argument clamped to [-87, 87]
 *   sigmoid       9.2e-8 absolute; never falls as x rises      [0, 1], 0 below -69
 *   tanh          5.75 ULP (baseline), 4.96 ULP (relaxed)      [-1, 1]
 *
 * The errors are the worst of 286 million numbers (test/slow/activations.slow.test.ts).
 *
 * NaN gives NaN: `pmin(x, limit)` and `pmax(x, limit)` return their first operand when it is not a number.
 */

import { flush, madd, nmadd } from './simd';
import * as K from './tables';

/** x within [-87, 87]. */
// @ts-ignore: decorator
@inline
function inRange(x: v128): v128 {
  const limit = v128.load(K.EXP_CLAMP);
  return f32x4.pmax(f32x4.pmin(x, limit), f32x4.neg(limit));
}

/** n of x = n ln 2 + r. */
// @ts-ignore: decorator
@inline
function wholeOf(x: v128): v128 {
  return f32x4.floor(f32x4.mul(x, v128.load(K.LOG2E)));
}

/** p(r) of the same, in [1, 2]. */
// @ts-ignore: decorator
@inline
function restOf(x: v128, n: v128): v128 {
  let r = nmadd(n, v128.load(K.LN2_HIGH), x);
  r = nmadd(n, v128.load(K.LN2_LOW), r);
  r = f32x4.pmax(r, v128.load(K.ZEROS));
  let p = madd(v128.load(K.EXP_C5), r, v128.load(K.EXP_C4));
  p = madd(p, r, v128.load(K.EXP_C3));
  p = madd(p, r, v128.load(K.EXP_C2));
  p = madd(p, r, v128.load(K.EXP_C1));
  p = madd(p, r, v128.load(K.ONE));
  return f32x4.pmin(p, v128.load(K.TWO));
}

/** 2^n p */
// @ts-ignore: decorator
@inline
function joined(n: v128, p: v128): v128 {
  return f32x4.mul(p, i32x4.shl(f32x4.add(n, v128.load(K.EXP_BIAS)), 23));
}

/** 1 / (1 + e) */
// @ts-ignore: decorator
@inline
function share(e: v128): v128 {
  const one = v128.load(K.ONE);
  return flush(f32x4.div(one, f32x4.add(one, e)));
}

/**
 * e^x. With x = n ln 2 + r the result is 2^n p(r). Each operation rises with r, p is held to [1, 2], so the whole is monotone.
 */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  x = inRange(x);
  const n = wholeOf(x);
  return joined(n, restOf(x, n));
}

/** 1 / (1 + e^-x), as a chain of operations of which each is monotone. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  return share(exponential(f32x4.neg(x)));
}

/** The same of three, stored at a, b and c. They advance together, because one alone is a chain of 20 operations that each wait for the last. */
// @ts-ignore: decorator
@inline
export function sigmoids(x: v128, y: v128, z: v128, a: usize, b: usize, c: usize): void {
  x = inRange(f32x4.neg(x));
  y = inRange(f32x4.neg(y));
  z = inRange(f32x4.neg(z));
  const nx = wholeOf(x);
  const ny = wholeOf(y);
  const nz = wholeOf(z);
  const px = restOf(x, nx);
  const py = restOf(y, ny);
  const pz = restOf(z, nz);
  v128.store(a, share(joined(nx, px)));
  v128.store(b, share(joined(ny, py)));
  v128.store(c, share(joined(nz, pz)));
}

/** x P(x^2) / Q(x^2), clamped to where it reaches 1. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const limit = v128.load(K.TANH_CLAMP);
  const one = v128.load(K.ONE);
  x = f32x4.pmax(f32x4.pmin(x, limit), f32x4.neg(limit));
  const x2 = f32x4.mul(x, x);
  let p = madd(v128.load(K.TANH_A9), x2, v128.load(K.TANH_A7));
  p = madd(p, x2, v128.load(K.TANH_A5));
  p = madd(p, x2, v128.load(K.TANH_A3));
  p = f32x4.mul(x, madd(p, x2, one));
  let q = madd(v128.load(K.TANH_B8), x2, v128.load(K.TANH_B6));
  q = madd(q, x2, v128.load(K.TANH_B4));
  q = madd(q, x2, v128.load(K.TANH_B2));
  return f32x4.div(p, madd(q, x2, one));
}

/** The derivative of sigmoid where it is y: y (1 - y). */
// @ts-ignore: decorator
@inline
export function d_sigmoid(y: v128): v128 {
  return nmadd(y, y, y);
}

/** The derivative of tanh where it is y: 1 - y^2. */
// @ts-ignore: decorator
@inline
export function d_tanh(y: v128): v128 {
  return nmadd(y, y, v128.load(K.ONE));
}
