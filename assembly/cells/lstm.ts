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
 * With options (base/structs.ts) the sums are clipped, s and tanh become other activations, c is
 * clipped as well, and LN(c) may stand for c in h; m is what o h(c) makes, which is h itself unless
 * it is projected.
 *
 * `x-` is the gradient of a pre-activation, held to the bound of every step; it takes the gate's
 * place. The gradient of h' is the product of these with R^T, which the time loop adds: nothing
 * else reaches h'.
 */

import { activate, slope } from '../base/activations';
import { Options, Sequence, Step } from '../base/structs';
import { d_sigmoid, d_tanh, sigmoid, sigmoids, tanh } from '../base/math';
import { normBackward, standardise } from '../layers/norm';
import { Cell, gate, gateBackward, held, incoming } from './cell';
import { clamp, flush, madd, nmadd } from '../base/simd';
import { ZEROS } from '../base/tables';

/** p[0..3] += x y */
// @ts-ignore: decorator
@inline
function accumulate(p: usize, x: v128, y: v128): void {
  v128.store(p, madd(x, y, v128.load(p)));
}

/**
 * All gates of a panel but an output gate that sees c: input, forget, cell, output; coupled: input,
 * cell, output.
 */
// @ts-ignore: decorator
@inline
function openGates(s: Step, z: usize, h: usize, u: usize, coupled: bool, diagonal: bool): void {
  const gates = s.gates + z;
  const peephole = s.peephole + u;
  const candidate = gates + (coupled ? 16 : 32);
  const output = candidate + 16;
  const second = coupled ? output : gates + 16;
  let i = v128.load(gates);
  let f = v128.load(second);
  if (diagonal) {
    const c0 = v128.load(s.cPrevious + h);
    i = madd(v128.load(peephole), c0, i);
    if (coupled) v128.store(gates, sigmoid(i));
    else {
      f = madd(v128.load(peephole + s.hiddenBytes), c0, f);
      sigmoids(i, f, f, gates, second, second);
    }
  } else {
    sigmoids(i, f, v128.load(output), gates, second, output);
  }
  v128.store(candidate, tanh(v128.load(candidate)));
}

// @ts-ignore: decorator
@inline
function nextState(s: Step, z: usize, h: usize, u: usize, coupled: bool, diagonal: bool): void {
  const gates = s.gates + z;
  const candidate = gates + (coupled ? 16 : 32);
  const output = candidate + 16;
  const c0 = v128.load(s.cPrevious + h);
  const i = v128.load(gates);
  const g = v128.load(candidate);
  const c = coupled
    ? flush(madd(i, f32x4.sub(g, c0), c0))
    : flush(madd(v128.load(gates, 16), c0, f32x4.mul(i, g)));
  let o = v128.load(output);
  if (diagonal) {
    const peephole = s.peephole + u + (coupled ? 1 : 2) * s.hiddenBytes;
    o = sigmoid(madd(v128.load(peephole), c, o));
    v128.store(output, o);
  }
  v128.store(s.c + h, c);
  v128.store(s.h + h, flush(f32x4.mul(o, tanh(c))));
}

// @ts-ignore: decorator
@inline
function backward(s: Step, z: usize, h: usize, u: usize, coupled: bool, diagonal: bool): void {
  const gates = s.gates + z;
  const wide = s.hiddenBytes;
  const input = u;
  const forget = u + wide;
  const output = u + (coupled ? 1 : 2) * wide;
  const c0 = v128.load(s.cPrevious + h);
  const c = v128.load(s.c + h);
  const t = tanh(c);
  const dh = incoming(s, h);
  const i = v128.load(gates);
  const g = v128.load(gates + (coupled ? 16 : 32));
  const o = v128.load(gates + (coupled ? 32 : 48));

  const o_ = held(s, f32x4.mul(f32x4.mul(dh, t), d_sigmoid(o)));
  let dc = madd(f32x4.mul(dh, o), d_tanh(t), v128.load(s.dc + h));
  if (diagonal) {
    dc = madd(v128.load(s.peephole + output), o_, dc);
    accumulate(s.dPeephole + output, o_, c);
  }
  dc = flush(dc);
  if (s.dcSeen) v128.store(s.dcSeen + h, dc);
  const di = f32x4.mul(dc, coupled ? f32x4.sub(g, c0) : g);
  const i_ = held(s, f32x4.mul(di, d_sigmoid(i)));
  const g_ = held(s, f32x4.mul(f32x4.mul(dc, i), d_tanh(g)));
  let dc0: v128;
  if (coupled) {
    dc0 = nmadd(dc, i, dc);
  } else {
    const f = v128.load(gates, 16);
    const f_ = held(s, f32x4.mul(f32x4.mul(dc, c0), d_sigmoid(f)));
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
  v128.store(gates + (coupled ? 16 : 32), g_);
  v128.store(gates + (coupled ? 32 : 48), o_);
  v128.store(s.dc + h, dc0);
  v128.store(s.dh + h, v128.load(ZEROS));
}


@unmanaged
abstract class LstmPanels extends Cell {

  @inline
  span(): i32 {
    return 16;
  }
}

/** Without peepholes, or with the cell state as operand of the products (`peephole: 'cell'`). */
@final
@unmanaged
export class Lstm extends LstmPanels {

  @inline
  vectors(): i32 {
    return 4;
  }


  @inline
  gates(s: Step, z: usize, h: usize, u: usize): void {
    openGates(s, z, h, u, /* coupled */ false, /* diagonal */ false);
  }


  @inline
  state(s: Step, z: usize, h: usize, u: usize): void {
    nextState(s, z, h, u, /* coupled */ false, /* diagonal */ false);
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    backward(s, z, h, u, /* coupled */ false, /* diagonal */ false);
  }
}

/** Diagonal peepholes. */
@final
@unmanaged
export class LstmDiagonal extends LstmPanels {

  @inline
  vectors(): i32 {
    return 4;
  }


  @inline
  gates(s: Step, z: usize, h: usize, u: usize): void {
    openGates(s, z, h, u, /* coupled */ false, /* diagonal */ true);
  }


  @inline
  state(s: Step, z: usize, h: usize, u: usize): void {
    nextState(s, z, h, u, /* coupled */ false, /* diagonal */ true);
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    backward(s, z, h, u, /* coupled */ false, /* diagonal */ true);
  }
}

/** Coupled input and forget gate. */
@final
@unmanaged
export class LstmCoupled extends LstmPanels {

  @inline
  vectors(): i32 {
    return 3;
  }


  @inline
  gates(s: Step, z: usize, h: usize, u: usize): void {
    openGates(s, z, h, u, /* coupled */ true, /* diagonal */ false);
  }


  @inline
  state(s: Step, z: usize, h: usize, u: usize): void {
    nextState(s, z, h, u, /* coupled */ true, /* diagonal */ false);
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    backward(s, z, h, u, /* coupled */ true, /* diagonal */ false);
  }
}

/** Coupled gates and diagonal peepholes. */
@final
@unmanaged
export class LstmCoupledDiagonal extends LstmPanels {

  @inline
  vectors(): i32 {
    return 3;
  }


  @inline
  gates(s: Step, z: usize, h: usize, u: usize): void {
    openGates(s, z, h, u, /* coupled */ true, /* diagonal */ true);
  }


  @inline
  state(s: Step, z: usize, h: usize, u: usize): void {
    nextState(s, z, h, u, /* coupled */ true, /* diagonal */ true);
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    backward(s, z, h, u, /* coupled */ true, /* diagonal */ true);
  }
}

/** The gates, c and m of one row of a layer with options, from the sums in its gates. */
export function lstmForward(q: Sequence, o: Options, row: i32, m: usize): void {
  const wide = q.hiddenBytes;
  const gates = q.gates + row * q.gateRow;
  const state = row * q.stateRow;
  const kept = o.sums ? o.sums + (q.row + row) * q.gateRow : 0;
  const cell = (o.coupled ? 1 : 2) * wide;
  const output = cell + wide;
  const limit = o.preactClip;
  for (let u = 0; u < wide; u += 16) {
    const c0 = v128.load(q.cPrevious + state + u);
    let x = v128.load(gates + u);
    if (q.peephole) x = madd(v128.load(q.peephole + u), c0, x);
    const i = gate(o.gate, x, limit, kept ? kept + u : 0);
    const g = gate(o.candidate, v128.load(gates + cell + u), limit, kept ? kept + cell + u : 0);
    let f = f32x4.sub(f32x4.splat(1), i);
    if (!o.coupled) {
      x = v128.load(gates + wide + u);
      if (q.peephole) x = madd(v128.load(q.peephole + wide + u), c0, x);
      f = gate(o.gate, x, limit, kept ? kept + wide + u : 0);
      v128.store(gates + wide + u, f);
    }
    v128.store(gates + u, i);
    v128.store(gates + cell + u, g);
    v128.store(q.c + state + u, flush(clamp(madd(f, c0, f32x4.mul(i, g)), o.cellClip)));
  }
  const c = q.c + state;
  const hat = o.hatCell + (q.row + row) * q.stateRow;
  if (o.gammaCell) {
    standardise(hat, o.inverseCell + ((q.row + row) << 2), c, q.stateRow, 1, 1, wide, q.hidden);
  }
  for (let u = 0; u < wide; u += 16) {
    let x = v128.load(gates + output + u);
    if (q.peephole) x = madd(v128.load(q.peephole + (output - wide) + u), v128.load(c + u), x);
    const open = gate(o.gate, x, limit, kept ? kept + output + u : 0);
    v128.store(gates + output + u, open);
    v128.store(m + u, flush(f32x4.mul(open, activate(o.output, outgoing(q, o, c, hat, u)))));
  }
}

/** What the output gate lets out of the cell: c, or its normalised form. */
// @ts-ignore: decorator
@inline
function outgoing(q: Sequence, o: Options, c: usize, hat: usize, u: usize): v128 {
  if (!o.gammaCell) return v128.load(c + u);
  const beta = v128.load(o.gammaCell + q.hiddenBytes + u);
  return madd(v128.load(o.gammaCell + u), v128.load(hat + u), beta);
}

/**
 * The same backwards: dm is dL/dm of the row; gates become the gradients of their sums, dc that of
 * the step before.
 */
export function lstmBackward(q: Sequence, o: Options, row: i32, dm: usize): void {
  const wide = q.hiddenBytes;
  const gates = q.gates + row * q.gateRow;
  const state = row * q.stateRow;
  const kept = o.sums + (q.row + row) * q.gateRow;
  const cell = (o.coupled ? 1 : 2) * wide;
  const output = cell + wide;
  const limit = o.preactClip;
  const c = q.c + state;
  const at = q.row + row;
  const hat = o.hatCell + at * q.stateRow;
  const dCell = o.dCell + state;
  for (let u = 0; u < wide; u += 16) {
    const out = outgoing(q, o, c, hat, u);
    const t = activate(o.output, out);
    const d = v128.load(dm + u);
    const open = v128.load(gates + output + u);
    const o_ = gateBackward(q, o.gate, f32x4.mul(d, t), open, limit, kept + output + u);
    v128.store(gates + output + u, o_);
    v128.store(dCell + u, f32x4.mul(f32x4.mul(d, open), slope(o.output, out, t)));
  }
  if (o.gammaCell) {
    const dGamma = o.dGammaCell;
    const inverse = o.inverseCell + (at << 2);
    const dBeta = dGamma + wide;
    const n = q.hidden;
    normBackward(dCell, hat, inverse, q.stateRow, 1, 1, wide, n, o.gammaCell, dGamma, dBeta);
  }
  for (let u = 0; u < wide; u += 16) {
    const c0 = v128.load(q.cPrevious + state + u);
    const c1 = v128.load(c + u);
    const o_ = v128.load(gates + output + u);
    let dc = f32x4.add(v128.load(dCell + u), v128.load(q.dc + state + u));
    if (q.peephole) {
      dc = madd(v128.load(q.peephole + (output - wide) + u), o_, dc);
      accumulate(q.dPeephole + (output - wide) + u, o_, c1);
    }
    dc = flush(dc);
    if (q.dcSeen) v128.store(q.dcSeen + state + u, dc);
    dc = v128.andnot(dc, f32x4.ge(f32x4.abs(c1), f32x4.splat(o.cellClip)));
    const i = v128.load(gates + u);
    const g = v128.load(gates + cell + u);
    const di = f32x4.mul(dc, o.coupled ? f32x4.sub(g, c0) : g);
    const i_ = gateBackward(q, o.gate, di, i, limit, kept + u);
    const g_ = gateBackward(q, o.candidate, f32x4.mul(dc, i), g, limit, kept + cell + u);
    let dc0: v128;
    if (o.coupled) {
      dc0 = nmadd(dc, i, dc);
    } else {
      const f = v128.load(gates + wide + u);
      const f_ = gateBackward(q, o.gate, f32x4.mul(dc, c0), f, limit, kept + wide + u);
      dc0 = f32x4.mul(dc, f);
      v128.store(gates + wide + u, f_);
      if (q.peephole) {
        dc0 = madd(v128.load(q.peephole + wide + u), f_, dc0);
        accumulate(q.dPeephole + wide + u, f_, c0);
      }
    }
    if (q.peephole) {
      dc0 = madd(v128.load(q.peephole + u), i_, dc0);
      accumulate(q.dPeephole + u, i_, c0);
    }
    v128.store(gates + u, i_);
    v128.store(gates + cell + u, g_);
    v128.store(q.dc + state + u, dc0);
  }
}
