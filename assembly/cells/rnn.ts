/**
 * Elman network (1990), one panel of 16 units at a time.
 *
 *   h = a(W x + R h' + b),  a = tanh or relu
 *
 *   x- = dh a'(h)  with a' = 1 - h^2, or 1 where h > 0
 *
 * With options (base/structs.ts) the sums are clipped and a is any activation; with independent
 * units (IndRNN, Li et al. 2018) R is a vector.
 */

import { Options, Sequence, Step } from '../base/structs';
import { d_tanh, tanh } from '../base/math';
import { Cell, gate, gateBackward, held, incoming } from './cell';
import * as codes from '../shared/codes';
import { flush, madd } from '../base/simd';
import { ONE, ZEROS } from '../base/tables';

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
export class Rnn<A extends Nonlinearity> extends Cell {

  @inline
  vectors(): i32 {
    return 4;
  }


  @inline
  span(): i32 {
    return 64;
  }


  @inline
  gates(_s: Step, _z: usize, _h: usize, _u: usize): void {}


  @inline
  state(s: Step, z: usize, h: usize, _u: usize): void {
    const a = changetype<A>(0);
    for (let v = 0; v < 64; v += 16) {
      v128.store(s.h + h + v, flush(a.apply(v128.load(s.gates + z + v))));
    }
  }

  backward(s: Step, z: usize, h: usize, _u: usize): void {
    const a = changetype<A>(0);
    for (let v = 0; v < 64; v += 16) {
      const dh = incoming(s, h + v);
      const x_ = f32x4.mul(dh, a.derivative(v128.load(s.h + h + v)));
      v128.store(s.gates + z + v, held(s, x_));
      v128.store(s.dh + h + v, v128.load(ZEROS));
    }
  }
}

/**
 * The new state m of one row of a layer with options, from the sums in its gates; a is what the
 * recurrent product reads.
 */
export function rnnForward(q: Sequence, o: Options, row: i32, a: usize, m: usize): void {
  const gates = q.gates + row * q.gateRow;
  const kept = o.sums ? o.sums + (q.row + row) * q.gateRow : 0;
  for (let u = 0; u < q.hiddenBytes; u += 16) {
    let x = v128.load(gates + u);
    if (o.kind == codes.CELL_INDEPENDENT) x = madd(v128.load(q.r + u), v128.load(a + u), x);
    const y = gate(o.gate, x, o.preactClip, kept ? kept + u : 0);
    v128.store(gates + u, y);
    v128.store(m + u, flush(y));
  }
}

/**
 * The same backwards: gates become gradients of their sums; of independent units `da` takes that of
 * a.
 */
export function rnnBackward(
  q: Sequence,
  o: Options,
  row: i32,
  a: usize,
  dm: usize,
  da: usize,
): void {
  const gates = q.gates + row * q.gateRow;
  const kept = o.sums + (q.row + row) * q.gateRow;
  for (let u = 0; u < q.hiddenBytes; u += 16) {
    const y = v128.load(gates + u);
    const x_ = gateBackward(q, o.gate, v128.load(dm + u), y, o.preactClip, kept + u);
    v128.store(gates + u, x_);
    if (o.kind != codes.CELL_INDEPENDENT) continue;
    v128.store(da + u, f32x4.mul(x_, v128.load(q.r + u)));
    v128.store(q.dr + u, madd(x_, v128.load(a + u), v128.load(q.dr + u)));
  }
}
