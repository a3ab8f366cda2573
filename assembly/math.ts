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

/**
 * e^x. With x = n ln 2 + r the result is 2^n p(r). Each operation rises with r, p is held to [1, 2], so the whole is monotone.
 */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  const limit = v128.load32_splat(K.EXP_CLAMP);
  x = f32x4.pmax(f32x4.pmin(x, limit), f32x4.neg(limit));
  const n = f32x4.floor(f32x4.mul(x, v128.load32_splat(K.LOG2E)));
  let r = nmadd(n, v128.load32_splat(K.LN2_HIGH), x);
  r = nmadd(n, v128.load32_splat(K.LN2_LOW), r);
  r = f32x4.pmax(r, v128.load(K.ZEROS));
  let p = madd(v128.load32_splat(K.EXP_C5), r, v128.load32_splat(K.EXP_C4));
  p = madd(p, r, v128.load32_splat(K.EXP_C3));
  p = madd(p, r, v128.load32_splat(K.EXP_C2));
  p = madd(p, r, v128.load32_splat(K.EXP_C1));
  p = madd(p, r, v128.load32_splat(K.ONE));
  p = f32x4.pmin(p, v128.load32_splat(K.TWO));
  return f32x4.mul(p, i32x4.shl(f32x4.add(n, v128.load32_splat(K.EXP_BIAS)), 23));
}

/** 1 / (1 + e^-x), as a chain of operations of which each is monotone. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  const one = v128.load32_splat(K.ONE);
  return flush(f32x4.div(one, f32x4.add(one, exponential(f32x4.neg(x)))));
}

/** x P(x^2) / Q(x^2), clamped to where it reaches 1. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const limit = v128.load32_splat(K.TANH_CLAMP);
  const one = v128.load32_splat(K.ONE);
  x = f32x4.pmax(f32x4.pmin(x, limit), f32x4.neg(limit));
  const x2 = f32x4.mul(x, x);
  let p = madd(v128.load32_splat(K.TANH_A9), x2, v128.load32_splat(K.TANH_A7));
  p = madd(p, x2, v128.load32_splat(K.TANH_A5));
  p = madd(p, x2, v128.load32_splat(K.TANH_A3));
  p = f32x4.mul(x, madd(p, x2, one));
  let q = madd(v128.load32_splat(K.TANH_B8), x2, v128.load32_splat(K.TANH_B6));
  q = madd(q, x2, v128.load32_splat(K.TANH_B4));
  q = madd(q, x2, v128.load32_splat(K.TANH_B2));
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
  return nmadd(y, y, v128.load32_splat(K.ONE));
}
