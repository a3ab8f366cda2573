/**
 * An activation as a layer.
 *
 *   elementwise   y = a(x)                                   dx = dy a'(x)
 *   softmax       y = p, p_j = e^(beta x_j) / sum of them    dx = beta p (dy - sum of p dy)
 *   logSoftmax    y = log p                                  dx = beta (dy - p sum of dy)
 *   prelu         y = x where x >= 0, else a x               dx = dy, or a dy
 *
 * The slopes a (He et al. 2015) learn: da = sum over rows of x dy where x < 0.
 *
 * The backward pass computes y or p again from x, so that nothing but x has to be kept.
 */

import { Activation } from '../base/structs';
import { activate, slope } from '../base/activations';
import { logarithm, sigmoid, tanh } from '../base/math';
import { firstLanes, madd, nmadd, sum } from '../base/simd';
import { exponentials, prepareRow, softmax } from '../base/softmax';
import { addWide } from '../base/vectors';
import * as codes from '../shared/codes';
import { ZEROS } from '../base/tables';

/**
 * An activation as a layer: y = a(x) of every element, or over the W features of each of M rows.
 * The forward pass reads x and writes y. The backward pass reads x and dy and writes dx; it adds to
 * dSlopes.
 *
 *     softmax      e^(beta x) / sum of e^(beta x)          logSoftmax   its logarithm
 *
 * `kind` is any `ACTIVATION_` code; alpha and beta mean what they mean for a gate. For softmax and
 * logSoftmax beta is one over the temperature. Rows are W elements and zeros up to a multiple of
 * four, in y and dx too.
 */
@unmanaged
export class ActivationLayer extends Activation {
  /** M, and W: features of a row, without the padding. */
  rows: i32;
  width: i32;
  /** Bytes from row to row. */
  xRow: i32;
  yRow: i32;
  dyRow: i32;
  dxRow: i32;
  /** [M, W] in, for both passes. */
  x: usize;
  /** [M, W] out; may be x where no backward pass follows. */
  y: usize;
  /** [M, W] in, backward: gradient of y. */
  dy: usize;
  /** [M, W] out, backward; may be dy or x. */
  dx: usize;
  /** [W] scratch of softmax and logSoftmax; 0 for the others. */
  scratch: usize;
  /** [W] in, of `ACTIVATION_PRELU`; [1] of `ACTIVATION_PRELU_ONE`; 0 for the others. */
  slopes: usize;
  /** The same in f64, inout, backward: accumulates. */
  dSlopes: usize;
}

/** Bytes of a row of W elements in whole vectors. */
function rowBytes(d: ActivationLayer): i32 {
  return ((d.width + 3) & ~3) << 2;
}

/**
 * What becomes of an element, as a type: never instantiated, called through `changetype<C>(0)`, so
 * that the usual curves are loops without calls.
 */
@unmanaged
abstract class Curve {
  abstract at(d: ActivationLayer, x: v128): v128;
}


@unmanaged
class Sigmoid extends Curve {
  // @ts-ignore: decorator
  @inline
  at(_d: ActivationLayer, x: v128): v128 {
    return sigmoid(x);
  }
}


@unmanaged
class Tanh extends Curve {
  // @ts-ignore: decorator
  @inline
  at(_d: ActivationLayer, x: v128): v128 {
    return tanh(x);
  }
}


@unmanaged
class Relu extends Curve {
  // @ts-ignore: decorator
  @inline
  at(_d: ActivationLayer, x: v128): v128 {
    return f32x4.pmax(x, v128.load(ZEROS));
  }
}


@unmanaged
class Square extends Curve {
  // @ts-ignore: decorator
  @inline
  at(_d: ActivationLayer, x: v128): v128 {
    return f32x4.mul(x, x);
  }
}


@unmanaged
class Root extends Curve {
  // @ts-ignore: decorator
  @inline
  at(_d: ActivationLayer, x: v128): v128 {
    return f32x4.sqrt(x);
  }
}

/** Any: the kind is looked up for every vector. */
@unmanaged
class AnyCurve extends Curve {
  // @ts-ignore: decorator
  @inline
  at(d: ActivationLayer, x: v128): v128 {
    return activate(d, x);
  }
}

/** y of one row, element by element; the padding stays zero, whatever the activation makes of 0. */
function eachForward<C extends Curve>(d: ActivationLayer, y: usize, x: usize): void {
  const curve = changetype<C>(0);
  const end = y + (d.width << 2);
  for (; y < end; y += 16) {
    v128.store(y, curve.at(d, v128.load(x)));
    x += 16;
  }
  y -= 16;
  v128.store(y, v128.and(v128.load(y), firstLanes((<i32>(end - y)) >> 2)));
}

function rowForward(d: ActivationLayer, y: usize, x: usize): void {
  switch (d.kind) {
    case codes.ACTIVATION_SOFTMAX:
      return softmaxForward(d, y, x);
    case codes.ACTIVATION_LOG_SOFTMAX:
      return logSoftmaxForward(d, y, x);
    case codes.ACTIVATION_PRELU:
    case codes.ACTIVATION_PRELU_ONE:
      return preluForward(d, y, x);
    case codes.ACTIVATION_SIGMOID:
      return eachForward<Sigmoid>(d, y, x);
    case codes.ACTIVATION_TANH:
      return eachForward<Tanh>(d, y, x);
    case codes.ACTIVATION_RELU:
      return eachForward<Relu>(d, y, x);
    case codes.ACTIVATION_SQRT:
      return eachForward<Root>(d, y, x);
    case codes.ACTIVATION_POW:
      if (d.alpha == 2) return eachForward<Square>(d, y, x);
    default:
      return eachForward<AnyCurve>(d, y, x);
  }
}

function eachBackward(d: ActivationLayer, dx: usize, dy: usize, x: usize): void {
  const bytes = rowBytes(d);
  for (let k = 0; k < bytes; k += 16) {
    const v = v128.load(x + k);
    const g = f32x4.mul(v128.load(dy + k), slope(d, v, activate(d, v)));
    // In the padding 0 times a slope that is infinite.
    v128.store(dx + k, v128.and(g, firstLanes(d.width - (k >> 2))));
  }
}

/** The logarithm is that of the sum alone: a probability that vanishes still has one. */
function logSoftmaxForward(d: ActivationLayer, y: usize, x: usize): void {
  memory.copy(d.scratch, x, rowBytes(d));
  const high = prepareRow(d.scratch, d.width);
  const total = logarithm(exponentials(d.scratch, d.width, high, d.beta));
  const shift = f32x4.splat(high);
  const beta = f32x4.splat(d.beta);
  const logSum = f32x4.splat(total);
  for (let k = 0; k < d.width; k += 4) {
    const v = f32x4.mul(beta, f32x4.sub(v128.load(x + (k << 2)), shift));
    v128.store(y + (k << 2), v128.and(f32x4.sub(v, logSum), firstLanes(d.width - k)));
  }
}

function softmaxForward(d: ActivationLayer, y: usize, x: usize): void {
  if (y != x) memory.copy(y, x, rowBytes(d));
  softmax(y, d.width, d.beta);
}

function softmaxBackward(d: ActivationLayer, dx: usize, dy: usize, x: usize): void {
  const bytes = rowBytes(d);
  const p = d.scratch;
  const isLogarithm = d.kind == codes.ACTIVATION_LOG_SOFTMAX;
  memory.copy(p, x, bytes);
  softmax(p, d.width, d.beta);
  let sums = f32x4.splat(0);
  for (let k = 0; k < bytes; k += 16) {
    const g = v128.load(dy + k);
    sums = isLogarithm ? f32x4.add(sums, g) : madd(g, v128.load(p + k), sums);
  }
  const all = f32x4.splat(sum(sums));
  const beta = f32x4.splat(d.beta);
  for (let k = 0; k < bytes; k += 16) {
    const g = v128.load(dy + k);
    const q = v128.load(p + k);
    const slope = isLogarithm ? nmadd(q, all, g) : f32x4.mul(q, f32x4.sub(g, all));
    v128.store(dx + k, f32x4.mul(beta, slope));
  }
}

/** Slopes of four features from byte k on. */
// @ts-ignore: decorator
@inline
function slopesAt(d: ActivationLayer, k: i32): v128 {
  const isOne = d.kind == codes.ACTIVATION_PRELU_ONE;
  return isOne ? v128.load_splat<f32>(d.slopes) : v128.load(d.slopes + k);
}

function preluForward(d: ActivationLayer, y: usize, x: usize): void {
  const bytes = rowBytes(d);
  for (let k = 0; k < bytes; k += 16) {
    const v = v128.load(x + k);
    const below = f32x4.mul(slopesAt(d, k), v);
    const own = v128.bitselect(v, below, f32x4.ge(v, v128.load(ZEROS)));
    v128.store(y + k, v128.and(own, firstLanes(d.width - (k >> 2))));
  }
}

function preluBackward(d: ActivationLayer, dx: usize, dy: usize, x: usize): void {
  const bytes = rowBytes(d);
  const to = d.dSlopes;
  let all = v128.load(ZEROS);
  for (let k = 0; k < bytes; k += 16) {
    const v = v128.load(x + k);
    const g = v128.load(dy + k);
    const isAbove = f32x4.ge(v, v128.load(ZEROS));
    const own = v128.andnot(f32x4.mul(v, g), isAbove);
    const da = v128.and(own, firstLanes(d.width - (k >> 2)));
    v128.store(dx + k, v128.bitselect(g, f32x4.mul(slopesAt(d, k), g), isAbove));
    if (d.kind == codes.ACTIVATION_PRELU_ONE) all = f32x4.add(all, da);
    else addWide(to + 2 * k, da);
  }
  if (d.kind == codes.ACTIVATION_PRELU_ONE) store<f64>(to, load<f64>(to) + <f64>sum(all));
}

export function activationForward(descriptor: usize): void {
  const d = changetype<ActivationLayer>(descriptor);
  for (let r = 0; r < d.rows; r++) rowForward(d, d.y + r * d.yRow, d.x + r * d.xRow);
}

export function activationBackward(descriptor: usize): void {
  const d = changetype<ActivationLayer>(descriptor);
  const isSoftmax = d.kind == codes.ACTIVATION_SOFTMAX || d.kind == codes.ACTIVATION_LOG_SOFTMAX;
  // The last row first: sums of slopes over segments of steps go on where those after them ended.
  for (let r = d.rows - 1; r >= 0; r--) {
    const dx = d.dx + r * d.dxRow;
    const dy = d.dy + r * d.dyRow;
    const x = d.x + r * d.xRow;
    if (isSoftmax) softmaxBackward(d, dx, dy, x);
    else if (d.slopes) preluBackward(d, dx, dy, x);
    else eachBackward(d, dx, dy, x);
  }
}
