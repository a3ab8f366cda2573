/**
 * The vector vocabulary. The only file that asks which instruction set the build has: the relaxed
 * build contracts a product and a sum into one rounding, the baseline build does the two that every
 * machine does alike.
 */

import { TINY } from '../shared/codes';
import { LANE_NUMBERS, TINY_LIMIT } from './tables';

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

/** a where all bits of a lane are set in the mask, b where none is. */
// @ts-ignore: decorator
@inline
export function select(a: v128, b: v128, mask: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_laneselect<i32>(a, b, mask);
  return v128.bitselect(a, b, mask);
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

/** All bits in the first n lanes; in none below 1, in all from 4 on. */
// @ts-ignore: decorator
@inline
export function firstLanes(n: i32): v128 {
  return i32x4.lt_s(v128.load(LANE_NUMBERS), i32x4.splat(n));
}

/** The first two lanes in float64; the last two. */
// @ts-ignore: decorator
@inline
export function widenLow(x: v128): v128 {
  return f64x2.promote_low_f32x4(x);
}

// @ts-ignore: decorator
@inline
export function widenHigh(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1));
}

/** Four lanes from two and two in float64. */
// @ts-ignore: decorator
@inline
export function narrow(low: v128, high: v128): v128 {
  const a = f32x4.demote_f64x2_zero(low);
  return v128.shuffle<f64>(a, f32x4.demote_f64x2_zero(high), 0, 2);
}

/** Sum of four lanes in float64. */
// @ts-ignore: decorator
@inline
export function sumWide(low: v128, high: v128): f64 {
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
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

/** Whether the build has a product of signed bytes and digits from 0 to 127. */
// @ts-ignore: decorator
@inline
export const HAS_DIGITS: bool = ASC_FEATURE_RELAXED_SIMD;

/**
 * x + w d: four sums of four products of signed bytes and digits, which every processor does
 * exactly.
 */
// @ts-ignore: decorator
@inline
export function dotDigits(w: v128, d: v128, x: v128): v128 {
  return HAS_DIGITS ? i32x4.relaxed_dot_i8x16_i7x16_add_s(w, d, x) : x;
}

/** x + w v: four sums of two products of 16 bits. */
// @ts-ignore: decorator
@inline
export function dotWords(w: v128, v: v128, x: v128): v128 {
  return i32x4.add(x, i32x4.dot_i16x8_s(w, v));
}

/** The sum of two digits: 128 x + y. */
// @ts-ignore: decorator
@inline
export function sumDigits(x: v128, y: v128): v128 {
  return i32x4.add(i32x4.shl(x, 7), y);
}

/** The sums of neighbours in x, and then in y. */
// @ts-ignore: decorator
@inline
export function sumWords(x: v128, y: v128): v128 {
  return i32x4.add(v128.shuffle<i32>(x, y, 0, 2, 4, 6), v128.shuffle<i32>(x, y, 1, 3, 5, 7));
}

/** i + (scale u) sum, in two roundings. */
// @ts-ignore: decorator
@inline
export function scaled(i: v128, sum: v128, scale: v128, u: v128): v128 {
  return f32x4.add(i, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(scale, u)));
}
