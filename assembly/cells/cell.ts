/**
 * A cell as a type: never instantiated, called through `changetype<C>(0)`, so that each loop over
 * it compiles to code of its own.
 */

import { activate, slope } from '../base/activations';
import { Activation, Step } from '../base/structs';
import { clamp, flush } from '../base/simd';


@unmanaged
export abstract class Cell {
  /** V: vectors of one panel of gates. */
  abstract vectors(): i32;
  /** Bytes of the state that one panel covers. */
  abstract span(): i32;
  /**
   * The pointwise forward pass of one panel of one row, whose finished sums become gates: z, h and
   * u are offsets in a row block of gates, in one of states, and in a row of the state. First the
   * gates that need nothing of this step, for all panels of a row: what waits for one waits for
   * all. Then the state.
   */
  abstract gates(s: Step, z: usize, h: usize, u: usize): void;
  abstract state(s: Step, z: usize, h: usize, u: usize): void;
  /**
   * The pointwise backward pass of the same: gates become their gradients; dh, dc become what does
   * not pass through a product.
   */
  abstract backward(s: Step, z: usize, h: usize, u: usize): void;
}

/** The gradient of a gate's sum, held to the bound of every step. */
// @ts-ignore: decorator
@inline
export function held(s: Step, gradient: v128): v128 {
  return clamp(gradient, s.gradientLimit);
}

/** dL/dh of the four units at offset h: from the step after and from above. */
// @ts-ignore: decorator
@inline
export function incoming(s: Step, h: usize): v128 {
  let dh = v128.load(s.dh + h);
  dh = flush(s.dy ? f32x4.add(dh, v128.load(s.dy + h)) : dh);
  if (s.dhSeen) v128.store(s.dhSeen + h, dh);
  return dh;
}

/** All bits where |x| is at most `limit`. */
export function within(x: v128, limit: f32): v128 {
  return f32x4.le(f32x4.abs(x), f32x4.splat(limit));
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
