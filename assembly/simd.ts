/**
 * The vector vocabulary. The only file that asks which instruction set the build has: the relaxed build contracts a product
 * and a sum into one rounding, the baseline build does the two that every machine does alike.
 */

import { TINY } from './shared/codes';
import { TINY_LIMIT } from './tables';

/** a * b + c */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c - a * b */
// @ts-ignore: decorator
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** Zero where |x| < 1e-30, x elsewhere; NaN stays. */
// @ts-ignore: decorator
@inline
export function flush(x: v128): v128 {
  return v128.andnot(x, f32x4.lt(f32x4.abs(x), v128.load(TINY_LIMIT)));
}

/** The same for one number. */
// @ts-ignore: decorator
@inline
export function flushScalar(x: f32): f32 {
  return abs<f32>(x) < <f32>TINY ? 0 : x;
}

/** Sum of the four lanes, (0 + 1) + (2 + 3). */
// @ts-ignore: decorator
@inline
export function sum(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) +
    f32x4.extract_lane(x, 1) +
    (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
  );
}

/** Largest of the four lanes. */
// @ts-ignore: decorator
@inline
export function largest(x: v128): f32 {
  return max<f32>(
    max<f32>(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)),
    max<f32>(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)),
  );
}

/** x held to [-limit, limit]; NaN stays. */
// @ts-ignore: decorator
@inline
export function clamp(x: v128, limit: f32): v128 {
  const high = f32x4.splat(limit);
  return f32x4.pmax(f32x4.pmin(x, high), f32x4.neg(high));
}
