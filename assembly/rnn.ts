/**
 * Elman network (1990), one panel of 16 units at a time.
 *
 *   h = a(W x + R h' + b),  a = tanh or relu
 *
 *   x- = dh a'(h)  with a' = 1 - h^2, or 1 where h > 0
 */

import { Step } from './layout';
import { d_tanh, tanh } from './math';
import { PlainCell, incoming } from './policy';
import { flush } from './simd';
import { ONE, ZEROS } from './tables';

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
    return v128.and(f32x4.gt(y, v128.load(ZEROS)), v128.load32_splat(ONE));
  }
}


@final
@unmanaged
export class Rnn<A extends Nonlinearity> extends PlainCell {

  @inline
  vectors(): i32 {
    return 4;
  }


  @inline
  span(): i32 {
    return 64;
  }

  update(s: Step, _z: usize, h: usize, _u: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
    const a = changetype<A>(0);
    const out = s.h + h;
    v128.store(out, flush(a.apply(x0)));
    v128.store(out, flush(a.apply(x1)), 16);
    v128.store(out, flush(a.apply(x2)), 32);
    v128.store(out, flush(a.apply(x3)), 48);
  }

  backward(s: Step, z: usize, h: usize, _u: usize): void {
    const a = changetype<A>(0);
    for (let v = 0; v < 64; v += 16) {
      const dh = incoming(s, h + v);
      v128.store(s.gates + z + v, f32x4.mul(dh, a.derivative(v128.load(s.h + h + v))));
      v128.store(s.dh + h + v, v128.load(ZEROS));
    }
  }
}
