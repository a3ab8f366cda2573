/**
 * What the body of a cell leaves open, as a type: the activations of its gates, of its candidate
 * and of its outgoing state, and bounds. The usual ones fold away; `Chosen` asks the layer's
 * options at run time.
 *
 * A sum x at address `at` becomes the gate y there; `d` is dL/dy.
 */

import { activate, hardSigmoid, slope } from '../base/activations';
import { d_sigmoid, d_tanh, sigmoid, sigmoids, tanh } from '../base/math';
import * as codes from '../shared/codes';
import { clamp } from '../base/simd';
import { Activation, Step } from '../base/structs';
import { ONE, ZEROS } from '../base/tables';


@unmanaged
export abstract class Policy {
  /**
   * Whether a state goes out apart from its update: a norm over all units may come between, and
   * what the cell makes of the state may be no state itself.
   */
  abstract isApart(): bool;
  /** Two gates and three, stored at their addresses. */
  abstract two(s: Step, x: v128, y: v128, a: usize, b: usize): void;
  abstract three(s: Step, x: v128, y: v128, z: v128, a: usize, b: usize, c: usize): void;
  abstract gate(s: Step, x: v128, at: usize): v128;
  abstract candidate(s: Step, x: v128, at: usize): v128;
  abstract output(s: Step, c: v128): v128;
  /** dL/dx, held to the bound of the step. */
  abstract gateBack(s: Step, d: v128, y: v128, at: usize): v128;
  abstract candidateBack(s: Step, d: v128, y: v128, at: usize): v128;
  /** The slope of the output at c, where it is t. */
  abstract outputSlope(s: Step, c: v128, t: v128): v128;
  /** c within its bound; dL/dc where c is inside of it, 0 elsewhere. */
  abstract bounded(s: Step, c: v128): v128;
  abstract boundedBack(s: Step, dc: v128, c: v128): v128;
}

/** An activation whose derivative follows from its output y. */
@unmanaged
export abstract class Nonlinearity {
  abstract apply(x: v128): v128;
  abstract derivative(y: v128): v128;
}


@final
@unmanaged
export class Tanh extends Nonlinearity {

  @inline
  apply(x: v128): v128 {
    return tanh(x);
  }


  @inline
  derivative(y: v128): v128 {
    return d_tanh(y);
  }
}


@final
@unmanaged
export class Relu extends Nonlinearity {
  /** NaN stays NaN: pmax returns its first operand then. */
  @inline
  apply(x: v128): v128 {
    return f32x4.pmax(x, v128.load(ZEROS));
  }


  @inline
  derivative(y: v128): v128 {
    return v128.and(f32x4.gt(y, v128.load(ZEROS)), v128.load(ONE));
  }
}


@final
@unmanaged
export class Identity extends Nonlinearity {

  @inline
  apply(x: v128): v128 {
    return x;
  }


  @inline
  derivative(_y: v128): v128 {
    return v128.load(ONE);
  }
}

/** Sigmoid for gates, C for all else, no bounds. */
@final
@unmanaged
export class Usual<C extends Nonlinearity> extends Policy {

  @inline
  isApart(): bool {
    return false;
  }


  @inline
  two(_s: Step, x: v128, y: v128, a: usize, b: usize): void {
    sigmoids(x, y, y, a, b, b);
  }


  @inline
  three(_s: Step, x: v128, y: v128, z: v128, a: usize, b: usize, c: usize): void {
    sigmoids(x, y, z, a, b, c);
  }


  @inline
  gate(_s: Step, x: v128, _at: usize): v128 {
    return sigmoid(x);
  }


  @inline
  candidate(_s: Step, x: v128, _at: usize): v128 {
    return changetype<C>(0).apply(x);
  }


  @inline
  output(_s: Step, c: v128): v128 {
    return changetype<C>(0).apply(c);
  }


  @inline
  gateBack(s: Step, d: v128, y: v128, _at: usize): v128 {
    return clamp(f32x4.mul(d, d_sigmoid(y)), s.gradientLimit);
  }


  @inline
  candidateBack(s: Step, d: v128, y: v128, _at: usize): v128 {
    return clamp(f32x4.mul(d, changetype<C>(0).derivative(y)), s.gradientLimit);
  }


  @inline
  outputSlope(_s: Step, _c: v128, t: v128): v128 {
    return changetype<C>(0).derivative(t);
  }


  @inline
  bounded(_s: Step, c: v128): v128 {
    return c;
  }


  @inline
  boundedBack(_s: Step, dc: v128, _c: v128): v128 {
    return dc;
  }
}

/** All bits where |x| is at most `limit`. */
// @ts-ignore: decorator
@inline
function within(x: v128, limit: f32): v128 {
  return f32x4.le(f32x4.abs(x), f32x4.splat(limit));
}

/** The activation of a sum that is clipped; the sum itself is kept where the layer says. */
// @ts-ignore: decorator
@inline
function open(s: Step, by: Activation, x: v128, at: usize): v128 {
  if (s.toSums) v128.store(at + s.toSums, x);
  return activate(by, clamp(x, s.options.preactClip));
}

/**
 * The same of three gates, the last of which may be the second again: one call for all. The usual
 * gates are written out, and sigmoids advance together.
 */
function openThree(s: Step, x: v128, y: v128, z: v128, a: usize, b: usize, c: usize): void {
  if (s.toSums) {
    v128.store(a + s.toSums, x);
    v128.store(b + s.toSums, y);
    v128.store(c + s.toSums, z);
  }
  const by = s.options.gate;
  const limit = s.options.preactClip;
  x = clamp(x, limit);
  y = clamp(y, limit);
  z = clamp(z, limit);
  if (by.kind == codes.ACTIVATION_SIGMOID) {
    sigmoids(x, y, z, a, b, c);
  } else if (by.kind == codes.ACTIVATION_HARD_SIGMOID) {
    const alpha = f32x4.splat(by.alpha);
    const beta = f32x4.splat(by.beta);
    v128.store(a, hardSigmoid(x, alpha, beta));
    v128.store(b, hardSigmoid(y, alpha, beta));
    v128.store(c, hardSigmoid(z, alpha, beta));
  } else {
    v128.store(a, activate(by, x));
    v128.store(b, activate(by, y));
    if (c != b) v128.store(c, activate(by, z));
  }
}

/**
 * The same backwards. A layer that keeps no sums has no clip either, and slopes that follow from y:
 * y stands for the sum.
 */
// @ts-ignore: decorator
@inline
function openBack(s: Step, by: Activation, d: v128, y: v128, at: usize): v128 {
  const limit = s.options.preactClip;
  const x = s.toSums ? v128.load(at + s.toSums) : y;
  const passed = f32x4.mul(d, slope(by, clamp(x, limit), y));
  return clamp(v128.and(passed, within(x, limit)), s.gradientLimit);
}

/** Those of the layer's options. */
@final
@unmanaged
export class Chosen extends Policy {

  @inline
  isApart(): bool {
    return true;
  }


  @inline
  two(s: Step, x: v128, y: v128, a: usize, b: usize): void {
    openThree(s, x, y, y, a, b, b);
  }


  @inline
  three(s: Step, x: v128, y: v128, z: v128, a: usize, b: usize, c: usize): void {
    openThree(s, x, y, z, a, b, c);
  }


  @inline
  gate(s: Step, x: v128, at: usize): v128 {
    return open(s, s.options.gate, x, at);
  }


  @inline
  candidate(s: Step, x: v128, at: usize): v128 {
    return open(s, s.options.candidate, x, at);
  }


  @inline
  output(s: Step, c: v128): v128 {
    return activate(s.options.output, c);
  }


  @inline
  gateBack(s: Step, d: v128, y: v128, at: usize): v128 {
    return openBack(s, s.options.gate, d, y, at);
  }


  @inline
  candidateBack(s: Step, d: v128, y: v128, at: usize): v128 {
    return openBack(s, s.options.candidate, d, y, at);
  }


  @inline
  outputSlope(s: Step, c: v128, t: v128): v128 {
    return slope(s.options.output, c, t);
  }


  @inline
  bounded(s: Step, c: v128): v128 {
    return clamp(c, s.options.cellClip);
  }


  @inline
  boundedBack(s: Step, dc: v128, c: v128): v128 {
    return v128.andnot(dc, f32x4.ge(f32x4.abs(c), f32x4.splat(s.options.cellClip)));
  }
}
