/**
 * exp, sigmoid and tanh of four numbers at once, and their derivatives from the outputs; log(1 + e)
 * of one.
 *
 *                 error against float64                        range
 *   exponential   1.9e-7 relative                              exact argument clamped to [-87, 87]
 *   sigmoid       9.2e-8 absolute; never falls as x rises      [0, 1], 0 below -69
 *   tanh          2.6 ULP; never falls above 1/2               [-1, 1], 1 from 9.01 on
 *
 * The errors are the worst of 286 million numbers (test/slow/activations.slow.test.ts).
 *
 * NaN gives NaN: `pmin(x, limit)` and `pmax(x, limit)` return their first operand when it is not a
 * number.
 */

import { logf_lut } from 'util/math';
import { madd, nmadd, select } from './simd';
import * as K from './tables';

/** x within [-87, 87]. */
// @ts-ignore: decorator
@inline
function inRange(x: v128): v128 {
  return f32x4.pmax(f32x4.pmin(x, v128.load(K.EXP_CLAMP)), v128.load(K.EXP_CLAMP_LOW));
}

/** n of -x = n ln 2 + r, in the lowest bits as the exponent field of 2^n. */
// @ts-ignore: decorator
@inline
function exponentOf(x: v128): v128 {
  const below = madd(x, v128.load(K.MINUS_LOG2E), v128.load(K.MINUS_HALF));
  return f32x4.add(below, v128.load(K.EXP_BIAS));
}

/**
 * p(r) of the same, in [1, 2]. A sigmoid needs no second part of ln 2: n 2e-9, the error of one, is
 * as small as the sigmoid is flat.
 */
// @ts-ignore: decorator
@inline
function fractionOf(x: v128, exponent: v128, parts: i32): v128 {
  const n = f32x4.sub(exponent, v128.load(K.EXP_BIAS));
  let minusR = madd(n, v128.load(parts == 2 ? K.LN2_HIGH : K.LN2), x);
  if (parts == 2) minusR = madd(n, v128.load(K.LN2_LOW), minusR);
  minusR = f32x4.pmin(minusR, v128.load(K.ZEROS));
  let p = nmadd(v128.load(K.EXP_C5), minusR, v128.load(K.EXP_C4));
  p = nmadd(p, minusR, v128.load(K.EXP_C3));
  p = nmadd(p, minusR, v128.load(K.EXP_C2));
  p = nmadd(p, minusR, v128.load(K.EXP_C1));
  p = nmadd(p, minusR, v128.load(K.ONE));
  return f32x4.pmin(p, v128.load(K.TWO));
}

/** 2^n */
// @ts-ignore: decorator
@inline
function powerOf(exponent: v128): v128 {
  return i32x4.shl(exponent, 23);
}

/**
 * e^x. With x = n ln 2 + r the result is 2^n p(r). Each operation rises with x, p is held to [1,
 * 2], so the whole is monotone.
 */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  x = inRange(f32x4.neg(x));
  const exponent = exponentOf(x);
  return f32x4.mul(fractionOf(x, exponent, 2), powerOf(exponent));
}

/** log(1 + e). What the sum has lost of a small e, it is given back in proportion (Kahan). */
export function log1p(e: f32): f32 {
  const sum = <f32>1 + e;
  const kept = sum - <f32>1;
  return kept > 0 ? (logarithm(sum) * e) / kept : e;
}

/** 1 / (1 + 2^n p) */
// @ts-ignore: decorator
@inline
function share(exponent: v128, p: v128): v128 {
  const one = v128.load(K.ONE);
  const y = f32x4.div(one, madd(p, powerOf(exponent), one));
  return v128.andnot(y, f32x4.lt(y, v128.load(K.TINY_LIMIT)));
}

/** 1 / (1 + e^-x), as a chain of operations of which each is monotone. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  x = inRange(x);
  const exponent = exponentOf(x);
  return share(exponent, fractionOf(x, exponent, 1));
}

/**
 * The same of three, stored at a, b and c. They advance together, because one alone is a chain of
 * 20 operations that each wait for the last.
 */
// @ts-ignore: decorator
@inline
export function sigmoids(x: v128, y: v128, z: v128, a: usize, b: usize, c: usize): void {
  x = inRange(x);
  y = inRange(y);
  z = inRange(z);
  const ex = exponentOf(x);
  const ey = exponentOf(y);
  const ez = exponentOf(z);
  const px = fractionOf(x, ex, 1);
  const py = fractionOf(y, ey, 1);
  const pz = fractionOf(z, ez, 1);
  v128.store(a, share(ex, px));
  v128.store(b, share(ey, py));
  v128.store(c, share(ez, pz));
}

/**
 * With t = e^(2|x|) - 1 it is t / (t + 2), or 1 - 2 / (t + 2) where that is above 1/2: so a small x
 * keeps its digits, and so does the slope where the result is near 1. From 2|x| = n ln 2 + r, t is
 * 2^n (e^r - 1) + (2^n - 1).
 */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const one = v128.load(K.ONE);
  const size = f32x4.abs(x);
  const held = f32x4.pmin(size, v128.load(K.TANH_CLAMP));
  const u = f32x4.add(held, held);
  const exponent = nmadd(u, v128.load(K.MINUS_LOG2E), v128.load(K.EXP_BIAS));
  const r = nmadd(f32x4.sub(exponent, v128.load(K.EXP_BIAS)), v128.load(K.LN2), u);
  const power = powerOf(exponent);
  const r2 = f32x4.mul(r, r);
  let p = madd(v128.load(K.TANH_C5), r, v128.load(K.TANH_C4));
  p = madd(v128.load(K.TANH_C6), r2, p);
  p = madd(p, r2, madd(v128.load(K.TANH_C3), r, v128.load(K.TANH_C2)));
  const t = madd(power, madd(p, r2, r), f32x4.sub(power, one));
  const isAbove = f32x4.gt(t, v128.load(K.TWO));
  const share = f32x4.div(
    select(v128.load(K.MINUS_TWO), t, isAbove),
    f32x4.add(t, v128.load(K.TWO)),
  );
  return v128.or(f32x4.add(share, v128.and(isAbove, one)), v128.xor(x, size));
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

/** log x of one number, at most 0.82 ULP from float64: what `Mathf.log` is where speed counts. */
export function logarithm(x: f32): f32 {
  return logf_lut(x);
}

const LN2: f64 = 0.6931471805599453;

/**
 * e^x for x <= 700 in float64: 2^n times the Taylor series of what is left, |r| <= ln 2 / 2. The
 * language's own brings tables of 6 KB.
 */
export function wideExponential(x: f64): f64 {
  if (x < -700) return 0;
  const n = nearest<f64>(x / LN2);
  const r = x - n * LN2;
  let sum: f64 = 1;
  for (let k = 14; k > 0; k--) sum = 1 + (sum * r) / k;
  return sum * reinterpret<f64>((<i64>n + 1023) << 52);
}

/** log x for x > 0 in float64: x = 2^n m, log m = 2 artanh((m - 1) / (m + 1)). */
export function wideLogarithm(x: f64): f64 {
  const bits = reinterpret<i64>(x);
  const m = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  const s = (m - 1) / (m + 1);
  let sum: f64 = 0;
  for (let k = 33; k > 0; k -= 2) sum = sum * s * s + 1 / <f64>k;
  return <f64>((bits >> 52) - 1023) * LN2 + 2 * s * sum;
}
