/**
 * Every activation of gates and of elementwise layers, four numbers at once, with its slope. The
 * first eleven are those that ONNX lets a gate have.
 *
 *   relu              max(x, 0)              leakyRelu     x, or a x below 0
 *   tanh              tanh x                 elu           x, or a (e^x - 1) below 0
 *   sigmoid           1 / (1 + e^-x)         softsign      x / (1 + |x|)
 *   thresholdedRelu   x, or 0 below a        softplus      log(1 + e^x)
 *   affine            a x + b                hardSigmoid   a x + b, held to [0, 1]
 *   scaledTanh        a tanh(b x)            identity      x
 *   gelu              x P(x)                 silu          x / (1 + e^-x)
 *   selu              1.0507 x, or 1.7581 (e^x - 1) below 0
 *
 * Those that gates do not have:
 *
 *   abs   |x|         neg    -x       sqrt   square root
 *   log   log x       pow    x^a      clip   x, held to [a, b]
 *   exp   e^x         erf    the error function
 *
 * P is the distribution of the standard normal (the exact gelu, not its tanh form).
 */

import { Activation } from './structs';
import {
  d_sigmoid,
  d_tanh,
  exponential,
  log1p,
  logarithm,
  sigmoid,
  tanh,
  wideExponential,
  wideLogarithm,
} from './math';
import * as codes from '../shared/codes';
import { madd, nmadd } from './simd';
import { ONE, ZEROS } from './tables';

/** Selu (Klambauer et al. 2017): the scale, and alpha times the scale. */
const SELU_SCALE: f32 = 1.0507009873554805;
const SELU_ALPHA: f32 = 1.7580993408473766;
const HALF_ROOT: f32 = 0.7071067811865476;
/** 1 / sqrt(2 pi) */
const DENSITY_AT_ZERO: f32 = 0.3989422804014327;

/** log(1 + e) of four numbers. */
function logs1p(e: v128): v128 {
  return f32x4(
    log1p(f32x4.extract_lane(e, 0)),
    log1p(f32x4.extract_lane(e, 1)),
    log1p(f32x4.extract_lane(e, 2)),
    log1p(f32x4.extract_lane(e, 3)),
  );
}

/** log x of four numbers. */
function logs(x: v128): v128 {
  return f32x4(
    logarithm(f32x4.extract_lane(x, 0)),
    logarithm(f32x4.extract_lane(x, 1)),
    logarithm(f32x4.extract_lane(x, 2)),
    logarithm(f32x4.extract_lane(x, 3)),
  );
}

/** x^a; of a negative x a number where a is whole. */
function power(x: f32, a: f32): f32 {
  if (a == 0) return 1;
  const size = abs<f64>(x);
  // -Infinity of 0, and Infinity and NaN of themselves.
  const log = size > 0 && size < Infinity ? wideLogarithm(size) : size - 1 / size;
  const y = <f32>wideExponential(min<f64>(<f64>a * log, 700));
  if (x >= 0) return y;
  if (floor<f32>(a) != a) return NaN;
  const half = <f32>0.5 * a;
  return floor<f32>(half) == half ? y : -y;
}

/** x^a of four numbers. */
function powers(x: v128, a: f32): v128 {
  if (a == 2) return f32x4.mul(x, x);
  return f32x4(
    power(f32x4.extract_lane(x, 0), a),
    power(f32x4.extract_lane(x, 1), a),
    power(f32x4.extract_lane(x, 2), a),
    power(f32x4.extract_lane(x, 3), a),
  );
}

/**
 * P(x). With z = |x| / sqrt(2) and t = 1 / (1 + z / 2), erfc(z) is t e^(q(t) - z^2) to 1.2e-7 of
 * itself (Numerical Recipes, `erfcc`), so both tails keep their digits.
 */
function normal(x: v128): v128 {
  const one = v128.load(ONE);
  const half = f32x4.splat(0.5);
  const z = f32x4.mul(f32x4.abs(x), f32x4.splat(HALF_ROOT));
  const t = f32x4.div(one, madd(half, z, one));
  let q = madd(f32x4.splat(0.17087277), t, f32x4.splat(-0.82215223));
  q = madd(q, t, f32x4.splat(1.48851587));
  q = madd(q, t, f32x4.splat(-1.13520398));
  q = madd(q, t, f32x4.splat(0.27886807));
  q = madd(q, t, f32x4.splat(-0.18628806));
  q = madd(q, t, f32x4.splat(0.09678418));
  q = madd(q, t, f32x4.splat(0.37409196));
  q = madd(q, t, f32x4.splat(1.00002368));
  q = madd(q, t, f32x4.splat(-1.26551223));
  const tail = f32x4.mul(f32x4.mul(half, t), exponential(nmadd(z, z, q)));
  return v128.bitselect(tail, f32x4.sub(one, tail), f32x4.lt(x, v128.load(ZEROS)));
}

/** e^x, which goes on to 0 and to infinity where `exponential` stays at the ends of its range. */
function exponentials(x: v128): v128 {
  const e = v128.andnot(exponential(x), f32x4.lt(x, f32x4.splat(-87)));
  return v128.bitselect(f32x4.splat(Infinity), e, f32x4.gt(x, f32x4.splat(88.72284)));
}

/** The error function, 2 P(x sqrt(2)) - 1: to 1e-7 of 1. */
function errors(x: v128): v128 {
  const all = normal(f32x4.mul(x, f32x4.splat(1.4142135623730951)));
  return f32x4.sub(f32x4.add(all, all), v128.load(ONE));
}

/** a x + b, held to [0, 1] */
// @ts-ignore: decorator
@inline
export function hardSigmoid(x: v128, a: v128, b: v128): v128 {
  return f32x4.pmax(f32x4.pmin(madd(a, x, b), v128.load(ONE)), v128.load(ZEROS));
}

/** One code for those that are rare. */
function rareTanh(x: v128): v128 {
  return tanh(x);
}

/** a (e^x - 1) = 2 a t / (1 - t) with t = tanh(x / 2): it keeps its digits where e^x is near 1. */
// @ts-ignore: decorator
@inline
function decay(a: v128, x: v128): v128 {
  const t = rareTanh(f32x4.mul(f32x4.splat(0.5), x));
  return f32x4.div(f32x4.mul(f32x4.add(a, a), t), f32x4.sub(v128.load(ONE), t));
}

/** The activation of x. */
export function activate(by: Activation, x: v128): v128 {
  // The commonest come before what the others load.
  if (by.kind == codes.ACTIVATION_TANH) return tanh(x);
  if (by.kind == codes.ACTIVATION_SIGMOID) return sigmoid(x);
  const a = f32x4.splat(by.alpha);
  const b = f32x4.splat(by.beta);
  const zero = v128.load(ZEROS);
  const one = v128.load(ONE);
  switch (by.kind) {
    case codes.ACTIVATION_RELU:
      return f32x4.pmax(x, zero);
    case codes.ACTIVATION_AFFINE:
      return madd(a, x, b);
    case codes.ACTIVATION_LEAKY_RELU:
      return v128.bitselect(f32x4.mul(a, x), x, f32x4.lt(x, zero));
    case codes.ACTIVATION_THRESHOLDED_RELU:
      return v128.andnot(x, f32x4.lt(x, a));
    case codes.ACTIVATION_SCALED_TANH:
      return f32x4.mul(a, rareTanh(f32x4.mul(b, x)));
    case codes.ACTIVATION_HARD_SIGMOID:
      return hardSigmoid(x, a, b);
    case codes.ACTIVATION_ELU:
      return v128.bitselect(decay(a, x), x, f32x4.lt(x, zero));
    case codes.ACTIVATION_SELU: {
      const above = f32x4.mul(f32x4.splat(SELU_SCALE), x);
      return v128.bitselect(decay(f32x4.splat(SELU_ALPHA), x), above, f32x4.lt(x, zero));
    }
    case codes.ACTIVATION_IDENTITY:
      return x;
    case codes.ACTIVATION_GELU:
      return f32x4.mul(x, normal(x));
    case codes.ACTIVATION_SILU:
      return f32x4.mul(x, sigmoid(x));
    case codes.ACTIVATION_SOFTSIGN:
      return f32x4.div(x, f32x4.add(one, f32x4.abs(x)));
    case codes.ACTIVATION_ABS:
      return f32x4.abs(x);
    case codes.ACTIVATION_NEG:
      return f32x4.neg(x);
    case codes.ACTIVATION_SQRT:
      return f32x4.sqrt(x);
    case codes.ACTIVATION_LOG:
      return logs(x);
    case codes.ACTIVATION_POW:
      return powers(x, by.alpha);
    case codes.ACTIVATION_CLIP:
      return f32x4.pmax(f32x4.pmin(x, b), a);
    case codes.ACTIVATION_EXP:
      return exponentials(x);
    case codes.ACTIVATION_ERF:
      return errors(x);
    default: {
      const e = exponential(f32x4.neg(f32x4.abs(x)));
      return f32x4.add(f32x4.pmax(x, zero), logs1p(e));
    }
  }
}

/** The derivative at x, where the activation is y. */
export function slope(by: Activation, x: v128, y: v128): v128 {
  const a = f32x4.splat(by.alpha);
  const b = f32x4.splat(by.beta);
  const zero = v128.load(ZEROS);
  const one = v128.load(ONE);
  switch (by.kind) {
    case codes.ACTIVATION_SIGMOID:
      return d_sigmoid(y);
    case codes.ACTIVATION_TANH:
      return d_tanh(y);
    case codes.ACTIVATION_RELU:
      return v128.and(f32x4.gt(x, zero), one);
    case codes.ACTIVATION_AFFINE:
      return a;
    case codes.ACTIVATION_LEAKY_RELU:
      return v128.bitselect(a, one, f32x4.lt(x, zero));
    case codes.ACTIVATION_THRESHOLDED_RELU:
      return v128.andnot(one, f32x4.lt(x, a));
    case codes.ACTIVATION_SCALED_TANH:
      return f32x4.mul(f32x4.mul(a, b), d_tanh(rareTanh(f32x4.mul(b, x))));
    case codes.ACTIVATION_HARD_SIGMOID:
      return v128.and(v128.and(f32x4.gt(y, zero), f32x4.lt(y, one)), a);
    case codes.ACTIVATION_ELU:
      return v128.bitselect(f32x4.add(y, a), one, f32x4.lt(x, zero));
    case codes.ACTIVATION_SELU: {
      const below = f32x4.add(y, f32x4.splat(SELU_ALPHA));
      return v128.bitselect(below, f32x4.splat(SELU_SCALE), f32x4.lt(x, zero));
    }
    case codes.ACTIVATION_IDENTITY:
      return one;
    case codes.ACTIVATION_GELU: {
      const density = exponential(f32x4.mul(f32x4.splat(-0.5), f32x4.mul(x, x)));
      return madd(f32x4.mul(x, f32x4.splat(DENSITY_AT_ZERO)), density, normal(x));
    }
    case codes.ACTIVATION_SILU: {
      const s = sigmoid(x);
      return madd(y, f32x4.sub(one, s), s);
    }
    case codes.ACTIVATION_SOFTSIGN: {
      const s = f32x4.div(one, f32x4.add(one, f32x4.abs(x)));
      return f32x4.mul(s, s);
    }
    case codes.ACTIVATION_ABS:
      return f32x4.sub(v128.and(f32x4.gt(x, zero), one), v128.and(f32x4.lt(x, zero), one));
    case codes.ACTIVATION_NEG:
      return f32x4.neg(one);
    case codes.ACTIVATION_SQRT:
      return f32x4.div(f32x4.splat(0.5), y);
    case codes.ACTIVATION_LOG:
      return f32x4.div(one, x);
    case codes.ACTIVATION_POW:
      return f32x4.mul(a, powers(x, by.alpha - 1));
    case codes.ACTIVATION_CLIP:
      return v128.and(v128.and(f32x4.ge(x, a), f32x4.le(x, b)), one);
    default:
      return sigmoid(x);
  }
}
