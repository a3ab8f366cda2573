/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997, with Gers' forget gate), one panel of four
 * units at a time.
 *
 *   i = s(W_i x + R_i h' + P_i c' + b_i)      f = s(W_f x + R_f h' + P_f c' + b_f), coupled: 1 - i
 *   g = tanh(W_g x + R_g h' + b_g)            c = f c' + i g
 *   o = s(W_o x + R_o h' + P_o c + b_o)       h = o tanh(c)
 *   (h', c': the step before; P: diagonal peephole)
 *
 *   do = dh tanh(c)         dc += dh o (1 - tanh(c)^2)       o- = do o (1 - o)       dc += P_o o-
 *   di = dc g   (coupled: dc (g - c'))     df = dc c'        dg = dc i
 *   i- = di i (1 - i)       f- = df f (1 - f)                g- = dg (1 - g^2)
 *   dc' = dc f + P_i i- + P_f f-           dP_i += i- c'     dP_f += f- c'           dP_o += o- c
 *
 * A policy may put other activations in the places of s and tanh, clip what they see, and bound c.
 * LN(c) may then stand for c in h.
 *
 * `x-` is the gradient of a pre-activation, held to the bound of every step; it takes the gate's
 * place. The gradient of h' is the product of these with R^T, which the time loop adds: nothing
 * else reaches h'.
 */

import { OutgoingCell, everyOutgoing, everyPanel, incoming } from './cell';
import { Chosen, Policy, Tanh, Usual } from './policy';
import * as codes from '../shared/codes';
import { Sequence, Step } from '../base/structs';
import { normBackward, standardise } from '../layers/norm';
import { flush, madd, nmadd } from '../base/simd';
import { ZEROS } from '../base/tables';

/** Which gates there are, and which of them see the cell state. */
@unmanaged
export abstract class Gating {
  /** Whether the forget gate is 1 - input. */
  abstract coupled(): bool;
  /** Diagonal peepholes. */
  abstract diagonal(s: Step): bool;
}

/** No peepholes, or the cell state as operand of the products (`peephole: 'cell'`). */
@final
@unmanaged
export class Gated extends Gating {

  @inline
  coupled(): bool {
    return false;
  }


  @inline
  diagonal(_s: Step): bool {
    return false;
  }
}


@final
@unmanaged
export class Diagonal extends Gating {

  @inline
  coupled(): bool {
    return false;
  }


  @inline
  diagonal(_s: Step): bool {
    return true;
  }
}

/** Asks at run time for peepholes: one code for both, where layers are rarer. */
@final
@unmanaged
export class Open extends Gating {

  @inline
  coupled(): bool {
    return false;
  }


  @inline
  diagonal(s: Step): bool {
    return s.peephole != 0;
  }
}

/** The same with coupled gates. */
@final
@unmanaged
export class Coupled extends Gating {

  @inline
  coupled(): bool {
    return true;
  }


  @inline
  diagonal(s: Step): bool {
    return s.peephole != 0;
  }
}

/** p[0..3] += x y */
// @ts-ignore: decorator
@inline
function accumulate(p: usize, x: v128, y: v128): void {
  v128.store(p, madd(x, y, v128.load(p)));
}

/** What goes out of the cell: c, or its normalised form. */
// @ts-ignore: decorator
@inline
function outgoing(s: Step, h: usize, u: usize, isApart: bool): v128 {
  const c = v128.load(s.c + h);
  if (!isApart || !s.options.gammaCell) return c;
  const hat = v128.load(s.options.hatCell + s.row * s.stateRow + h);
  const gamma = s.options.gammaCell + u;
  return madd(v128.load(gamma), hat, v128.load(gamma + s.hiddenBytes));
}


@final
@unmanaged
export class Lstm<G extends Gating, P extends Policy> extends OutgoingCell {

  @inline
  vectors(): i32 {
    return changetype<G>(0).coupled() ? 3 : 4;
  }


  @inline
  span(): i32 {
    return 16;
  }

  /**
   * All gates of a panel but an output gate that sees c: input, forget, cell, output; coupled:
   * input, cell, output.
   */
  @inline
  gates(s: Step, z: usize, h: usize, u: usize): void {
    const by = changetype<P>(0);
    const coupled = changetype<G>(0).coupled();
    const gates = s.gates + z;
    const candidate = gates + (coupled ? 16 : 32);
    const output = candidate + 16;
    const second = coupled ? output : gates + 16;
    let i = v128.load(gates);
    let f = v128.load(second);
    if (changetype<G>(0).diagonal(s)) {
      const peephole = s.peephole + u;
      const c0 = v128.load(s.cPrevious + h);
      i = madd(v128.load(peephole), c0, i);
      if (coupled) v128.store(gates, by.gate(s, i, gates));
      else {
        f = madd(v128.load(peephole + s.hiddenBytes), c0, f);
        by.two(s, i, f, gates, second);
      }
    } else if (coupled) {
      by.two(s, i, f, gates, second);
    } else {
      by.three(s, i, f, v128.load(output), gates, second, output);
    }
    v128.store(candidate, by.candidate(s, v128.load(candidate), candidate));
  }

  /** c, and h unless that is apart. */
  @inline
  state(s: Step, z: usize, h: usize, u: usize): void {
    const by = changetype<P>(0);
    const coupled = changetype<G>(0).coupled();
    const gates = s.gates + z;
    const c0 = v128.load(s.cPrevious + h);
    const i = v128.load(gates);
    const g = v128.load(gates + (coupled ? 16 : 32));
    const next = coupled
      ? madd(i, f32x4.sub(g, c0), c0)
      : madd(v128.load(gates, 16), c0, f32x4.mul(i, g));
    const c = flush(by.bounded(s, next));
    v128.store(s.c + h, c);
    if (!by.isApart()) this.letOut(s, z, h, u, c, c);
  }


  @inline
  prepareOutput(q: Sequence, row: i32): void {
    const o = q.options;
    if (!o.gammaCell) return;
    const state = row * q.stateRow;
    const at = q.row + row;
    const hat = o.hatCell + at * q.stateRow;
    standardise(hat, o.inverseCell + (at << 2), q.c + state, q.stateRow, 1, 1, q.hidden);
  }


  @inline
  output(s: Step, z: usize, h: usize, u: usize): void {
    this.letOut(s, z, h, u, v128.load(s.c + h), outgoing(s, h, u, true));
  }

  /** h, from c and from what goes out of it. */
  @inline
  letOut(s: Step, z: usize, h: usize, u: usize, c: v128, out: v128): void {
    const by = changetype<P>(0);
    const coupled = changetype<G>(0).coupled();
    const at = s.gates + z + (coupled ? 32 : 48);
    let o = v128.load(at);
    if (changetype<G>(0).diagonal(s)) {
      const peephole = s.peephole + u + (coupled ? 1 : 2) * s.hiddenBytes;
      o = by.gate(s, madd(v128.load(peephole), c, o), at);
      v128.store(at, o);
    }
    v128.store(s.h + h, flush(f32x4.mul(o, by.output(s, out))));
  }

  /** The output gate's sum, and dL/dc by way of h at dCell. */
  outputBack(s: Step, z: usize, h: usize, u: usize): void {
    const by = changetype<P>(0);
    const at = s.gates + z + (changetype<G>(0).coupled() ? 32 : 48);
    const out = outgoing(s, h, u, true);
    const t = by.output(s, out);
    const dh = incoming(s, h);
    const o = v128.load(at);
    v128.store(at, by.gateBack(s, f32x4.mul(dh, t), o, at));
    v128.store(s.options.dCell + h, f32x4.mul(f32x4.mul(dh, o), by.outputSlope(s, out, t)));
  }


  @inline
  prepareOutputBack(q: Sequence, row: i32): void {
    const o = q.options;
    if (!o.gammaCell) return;
    const state = row * q.stateRow;
    const at = q.row + row;
    const hat = o.hatCell + at * q.stateRow;
    const inverse = o.inverseCell + (at << 2);
    const dGamma = o.dGammaCell;
    const dBeta = dGamma + 2 * q.hiddenBytes;
    const d = o.dCell + state;
    normBackward(d, hat, inverse, q.stateRow, 1, 1, q.hidden, o.gammaCell, dGamma, dBeta);
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    const by = changetype<P>(0);
    const coupled = changetype<G>(0).coupled();
    const diagonal = changetype<G>(0).diagonal(s);
    const gates = s.gates + z;
    const wide = s.hiddenBytes;
    const input = u;
    const forget = u + wide;
    const output = u + (coupled ? 1 : 2) * wide;
    const c0 = v128.load(s.cPrevious + h);
    const c = v128.load(s.c + h);
    const i = v128.load(gates);
    const candidate = gates + (coupled ? 16 : 32);
    const g = v128.load(candidate);
    const last = gates + (coupled ? 32 : 48);
    let o_ = v128.load(last);
    let dc: v128;
    if (by.isApart()) {
      dc = f32x4.add(v128.load(s.options.dCell + h), v128.load(s.dc + h));
    } else {
      const t = by.output(s, c);
      const dh = incoming(s, h);
      dc = madd(f32x4.mul(dh, o_), by.outputSlope(s, c, t), v128.load(s.dc + h));
      o_ = by.gateBack(s, f32x4.mul(dh, t), o_, last);
    }
    if (diagonal) {
      dc = madd(v128.load(s.peephole + output), o_, dc);
      accumulate(s.dPeephole + output, o_, c);
    }
    dc = flush(dc);
    if (s.dcSeen) v128.store(s.dcSeen + h, dc);
    dc = by.boundedBack(s, dc, c);
    const di = f32x4.mul(dc, coupled ? f32x4.sub(g, c0) : g);
    const i_ = by.gateBack(s, di, i, gates);
    const g_ = by.candidateBack(s, f32x4.mul(dc, i), g, candidate);
    let dc0: v128;
    if (coupled) {
      dc0 = nmadd(dc, i, dc);
    } else {
      const f = v128.load(gates, 16);
      const f_ = by.gateBack(s, f32x4.mul(dc, c0), f, gates + 16);
      dc0 = f32x4.mul(dc, f);
      v128.store(gates, f_, 16);
      if (diagonal) {
        dc0 = madd(v128.load(s.peephole + forget), f_, dc0);
        accumulate(s.dPeephole + forget, f_, c0);
      }
    }
    if (diagonal) {
      dc0 = madd(v128.load(s.peephole + input), i_, dc0);
      accumulate(s.dPeephole + input, i_, c0);
    }
    v128.store(gates, i_);
    v128.store(candidate, g_);
    v128.store(last, o_);
    v128.store(s.dc + h, dc0);
    v128.store(s.dh + h, v128.load(ZEROS));
  }
}

export function lstm(q: Sequence, first: i32, end: i32, back: bool): void {
  if (q.policy == codes.POLICY_CHOSEN) everyOutgoing<Lstm<Open, Chosen>>(q, first, end, back);
  else if (q.peephole) everyPanel<Lstm<Diagonal, Usual<Tanh>>>(q, 0, first, end, back);
  else everyPanel<Lstm<Gated, Usual<Tanh>>>(q, 0, first, end, back);
}

export function coupledLstm(q: Sequence, first: i32, end: i32, back: bool): void {
  if (q.policy == codes.POLICY_CHOSEN) everyOutgoing<Lstm<Coupled, Chosen>>(q, first, end, back);
  else everyPanel<Lstm<Coupled, Usual<Tanh>>>(q, 0, first, end, back);
}
