/**
 * Elman network (1990), one panel of 16 units at a time.
 *
 *   h = f(W x + R h' + b),  f = tanh or relu, or as the policy says
 *
 *   x- = dh f'(h)  with f' = 1 - h^2, or 1 where h > 0
 *
 * Of independent units (IndRNN, Li et al. 2018) R is a vector u: its sum and its gradients are
 * pointwise too.
 *
 *   h = f(W x + b + u a)        da += x- u        du += x- a        (a: h', or h' masked)
 */

import { Cell, everyPanel, incoming } from './cell';
import { Chosen, Policy, Relu, Tanh, Usual } from './policy';
import { Sequence, Step } from '../base/structs';
import * as codes from '../shared/codes';
import { flush, madd } from '../base/simd';
import { ZEROS } from '../base/tables';

/** What the state is multiplied by. */
@unmanaged
export abstract class Recurrence {
  abstract isVector(s: Step): bool;
}


@final
@unmanaged
export class Full extends Recurrence {

  @inline
  isVector(_s: Step): bool {
    return false;
  }
}

/** Asks at run time: one code for both, where layers are rarer. */
@final
@unmanaged
export class Any extends Recurrence {

  @inline
  isVector(s: Step): bool {
    return s.cell == codes.CELL_INDEPENDENT;
  }
}


@final
@unmanaged
export class Rnn<R extends Recurrence, P extends Policy> extends Cell {

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
  state(s: Step, z: usize, h: usize, u: usize): void {
    const by = changetype<P>(0);
    const isVector = changetype<R>(0).isVector(s);
    for (let v = 0; v < 64; v += 16) {
      const at = s.gates + z + v;
      let x = v128.load(at);
      if (isVector) x = madd(v128.load(s.r + u + v), v128.load(s.a + h + v), x);
      const y = by.candidate(s, x, at);
      if (by.isApart()) v128.store(at, y);
      v128.store(s.h + h + v, flush(y));
    }
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    const by = changetype<P>(0);
    const isVector = changetype<R>(0).isVector(s);
    for (let v = 0; v < 64; v += 16) {
      const at = s.gates + z + v;
      const dh = incoming(s, h + v);
      const y = v128.load(by.isApart() ? at : s.h + h + v);
      const x_ = by.candidateBack(s, dh, y, at);
      v128.store(at, x_);
      v128.store(s.dh + h + v, v128.load(ZEROS));
      if (!isVector) continue;
      const a = v128.load(s.a + h + v);
      v128.store(s.da + h + v, madd(x_, v128.load(s.r + u + v), v128.load(s.da + h + v)));
      v128.store(s.dr + u + v, madd(x_, a, v128.load(s.dr + u + v)));
    }
  }
}

export function rnn(q: Sequence, first: i32, end: i32, back: bool): void {
  if (q.policy == codes.POLICY_USUAL) everyPanel<Rnn<Full, Usual<Tanh>>>(q, 0, first, end, back);
  else if (q.policy == codes.POLICY_RELU)
    everyPanel<Rnn<Full, Usual<Relu>>>(q, 0, first, end, back);
  else everyPanel<Rnn<Any, Chosen>>(q, 0, first, end, back);
}

export function independentRnn(q: Sequence, first: i32, end: i32, back: bool): void {
  everyPanel<Rnn<Any, Chosen>>(q, 0, first, end, back);
}
