/**
 * A cell as a type: never instantiated, called through `changetype<C>(0)`, so that each loop over it compiles to code of its own.
 */

import { Step } from './layout';
import { clamp, flush } from './simd';


@unmanaged
export abstract class Cell {
  /** V: vectors of one panel of gates. */
  abstract vectors(): i32;
  /** Bytes of the state that one panel covers. */
  abstract span(): i32;
  /** What vector v of a panel starts its sum from: z and u are offsets in a row block of gates and in one row of the state. */
  abstract start(s: Step, z: usize, u: usize, v: i32): v128;
  /** The pointwise forward pass of one panel of one row, from the finished sums; h is the offset in a row block of states. */
  abstract update(
    s: Step,
    z: usize,
    h: usize,
    u: usize,
    x0: v128,
    x1: v128,
    x2: v128,
    x3: v128,
  ): void;
  /** The pointwise backward pass of the same: gates become their gradients; dh, dc become what does not pass through a product. */
  abstract backward(s: Step, z: usize, h: usize, u: usize): void;
}

/** A cell whose sums all start from the pre-activations that the input product left. */
@unmanaged
export abstract class PlainCell extends Cell {

  @inline
  start(s: Step, z: usize, _u: usize, v: i32): v128 {
    return v128.load(s.gates + z + (v << 4));
  }
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
