/**
 * The activations that ONNX lets a gate have, four numbers at once, with their slopes.
 *
 *   relu              max(x, 0)              leakyRelu     x, or a x below 0
 *   tanh              tanh x                 elu           x, or a (e^x - 1) below 0
 *   sigmoid           1 / (1 + e^-x)         softsign      x / (1 + |x|)
 *   thresholdedRelu   x, or 0 below a        softplus      log(1 + e^x)
 *   affine            a x + b                hardSigmoid   a x + b, held to [0, 1]
 *   scaledTanh        a tanh(b x)
 */

import { Activation, Step } from '../base/structs';
import { d_sigmoid, d_tanh, exponential, sigmoid, tanh } from '../base/math';
import * as codes from '../shared/codes';
import { clamp, madd } from '../base/simd';
import { ONE, ZEROS } from '../base/tables';

/** All bits where |x| is at most `limit`. */
export function within(x: v128, limit: f32): v128 {
  return f32x4.le(f32x4.abs(x), f32x4.splat(limit));
}

function logarithm(x: v128): v128 {
  return f32x4(
    Mathf.log(f32x4.extract_lane(x, 0)),
    Mathf.log(f32x4.extract_lane(x, 1)),
    Mathf.log(f32x4.extract_lane(x, 2)),
    Mathf.log(f32x4.extract_lane(x, 3)),
  );
}

export function activate(by: Activation, x: v128): v128 {
  const a = f32x4.splat(by.alpha);
  const b = f32x4.splat(by.beta);
  const zero = v128.load(ZEROS);
  const one = v128.load(ONE);
  switch (by.kind) {
    case codes.ACTIVATION_SIGMOID:
      return sigmoid(x);
    case codes.ACTIVATION_TANH:
      return tanh(x);
    case codes.ACTIVATION_RELU:
      return f32x4.pmax(x, zero);
    case codes.ACTIVATION_AFFINE:
      return madd(a, x, b);
    case codes.ACTIVATION_LEAKY_RELU:
      return v128.bitselect(f32x4.mul(a, x), x, f32x4.lt(x, zero));
    case codes.ACTIVATION_THRESHOLDED_RELU:
      return v128.andnot(x, f32x4.lt(x, a));
    case codes.ACTIVATION_SCALED_TANH:
      return f32x4.mul(a, tanh(f32x4.mul(b, x)));
    case codes.ACTIVATION_HARD_SIGMOID:
      return f32x4.pmax(f32x4.pmin(madd(a, x, b), one), zero);
    case codes.ACTIVATION_ELU: {
      const below = f32x4.mul(a, f32x4.sub(exponential(x), one));
      return v128.bitselect(below, x, f32x4.lt(x, zero));
    }
    case codes.ACTIVATION_SOFTSIGN:
      return f32x4.div(x, f32x4.add(one, f32x4.abs(x)));
    default: {
      const e = exponential(f32x4.neg(f32x4.abs(x)));
      return f32x4.add(f32x4.pmax(x, zero), logarithm(f32x4.add(one, e)));
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
      return f32x4.mul(f32x4.mul(a, b), d_tanh(tanh(f32x4.mul(b, x))));
    case codes.ACTIVATION_HARD_SIGMOID:
      return v128.and(v128.and(f32x4.gt(y, zero), f32x4.lt(y, one)), a);
    case codes.ACTIVATION_ELU:
      return v128.bitselect(f32x4.add(y, a), one, f32x4.lt(x, zero));
    case codes.ACTIVATION_SOFTSIGN: {
      const s = f32x4.div(one, f32x4.add(one, f32x4.abs(x)));
      return f32x4.mul(s, s);
    }
    default:
      return sigmoid(x);
  }
}

/**
 * The activation of a sum that is held to [-limit, limit]; the sum itself is kept at `kept`, unless
 * that is 0.
 */
export function gate(by: Activation, x: v128, limit: f32, kept: usize): v128 {
  if (kept) v128.store(kept, x);
  return activate(by, clamp(x, limit));
}

/**
 * dL/dx of the same, held to the bound of the step: `d` is dL/dy, `y` what it was, `kept` where its
 * sum is.
 */
export function gateBackward(
  s: Step,
  by: Activation,
  d: v128,
  y: v128,
  limit: f32,
  kept: usize,
): v128 {
  const x = v128.load(kept);
  const passed = f32x4.mul(d, slope(by, clamp(x, limit), y));
  return clamp(v128.and(passed, within(x, limit)), s.gradientLimit);
}
