/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997, with Gers' forget gate), one panel of four units at a time.
 *
 *   i = s(W_i x + R_i h' + P_i c' + b_i)      f = s(W_f x + R_f h' + P_f c' + b_f), or 1 - i with coupled gates
 *   g = tanh(W_g x + R_g h' + b_g)            c = f c' + i g
 *   o = s(W_o x + R_o h' + P_o c + b_o)       h = o tanh(c)                       (h', c': the step before; P: diagonal peephole)
 *
 *   do = dh tanh(c)         dc += dh o (1 - tanh(c)^2)       o- = do o (1 - o)       dc += P_o o-
 *   di = dc g   (coupled: dc (g - c'))     df = dc c'        dg = dc i
 *   i- = di i (1 - i)       f- = df f (1 - f)                g- = dg (1 - g^2)
 *   dc' = dc f + P_i i- + P_f f-           dP_i += i- c'     dP_f += f- c'           dP_o += o- c
 *
 * `x-` is the gradient of a pre-activation; it takes the gate's place. The gradient of h' is the product of these with R^T, which
 * the time loop adds: nothing else reaches h'.
 */

import { Step } from './layout';
import { d_sigmoid, d_tanh, sigmoid, tanh } from './math';
import { PlainCell, incoming } from './policy';
import { flush, madd, nmadd } from './simd';
import { ZEROS } from './tables';

/** p[0..3] += x y */
// @ts-ignore: decorator
@inline
function accumulate(p: usize, x: v128, y: v128): void {
  v128.store(p, madd(x, y, v128.load(p)));
}

/** The gates of a panel in the order input, forget, cell, output; coupled: input, cell, output. */
// @ts-ignore: decorator
@inline
function forward(
  s: Step,
  z: usize,
  h: usize,
  u: usize,
  x0: v128,
  x1: v128,
  x2: v128,
  x3: v128,
  coupled: bool,
  diagonal: bool,
): void {
  const gates = s.gates + z;
  const gate = s.hiddenBytes;
  const peephole = s.peephole + u;
  const c0 = v128.load(s.cPrevious + h);
  if (diagonal) {
    x0 = madd(v128.load(peephole), c0, x0);
    if (!coupled) x1 = madd(v128.load(peephole + gate), c0, x1);
  }
  const i = sigmoid(x0);
  const g = tanh(coupled ? x1 : x2);
  let c: v128;
  if (coupled) {
    c = flush(madd(i, f32x4.sub(g, c0), c0));
  } else {
    const f = sigmoid(x1);
    v128.store(gates, f, 16);
    c = flush(madd(f, c0, f32x4.mul(i, g)));
  }
  let x = coupled ? x2 : x3;
  if (diagonal) x = madd(v128.load(peephole + (coupled ? 1 : 2) * gate), c, x);
  const o = sigmoid(x);
  v128.store(gates, i);
  v128.store(gates + (coupled ? 16 : 32), g);
  v128.store(gates + (coupled ? 32 : 48), o);
  v128.store(s.c + h, c);
  v128.store(s.h + h, flush(f32x4.mul(o, tanh(c))));
}

// @ts-ignore: decorator
@inline
function backward(s: Step, z: usize, h: usize, u: usize, coupled: bool, diagonal: bool): void {
  const gates = s.gates + z;
  const gate = s.hiddenBytes;
  const input = u;
  const forget = u + gate;
  const output = u + (coupled ? 1 : 2) * gate;
  const c0 = v128.load(s.cPrevious + h);
  const c = v128.load(s.c + h);
  const t = tanh(c);
  const dh = incoming(s, h);
  const i = v128.load(gates);
  const g = v128.load(gates + (coupled ? 16 : 32));
  const o = v128.load(gates + (coupled ? 32 : 48));

  const o_ = f32x4.mul(f32x4.mul(dh, t), d_sigmoid(o));
  let dc = madd(f32x4.mul(dh, o), d_tanh(t), v128.load(s.dc + h));
  if (diagonal) {
    dc = madd(v128.load(s.peephole + output), o_, dc);
    accumulate(s.dPeephole + output, o_, c);
  }
  dc = flush(dc);
  if (s.dcSeen) v128.store(s.dcSeen + h, dc);
  const i_ = f32x4.mul(f32x4.mul(dc, coupled ? f32x4.sub(g, c0) : g), d_sigmoid(i));
  const g_ = f32x4.mul(f32x4.mul(dc, i), d_tanh(g));
  let dc0: v128;
  if (coupled) {
    dc0 = nmadd(dc, i, dc);
  } else {
    const f = v128.load(gates, 16);
    const f_ = f32x4.mul(f32x4.mul(dc, c0), d_sigmoid(f));
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
abstract class LstmPanels extends PlainCell {

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

  update(s: Step, z: usize, h: usize, u: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
    forward(s, z, h, u, x0, x1, x2, x3, /* coupled */ false, /* diagonal */ false);
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

  update(s: Step, z: usize, h: usize, u: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
    forward(s, z, h, u, x0, x1, x2, x3, /* coupled */ false, /* diagonal */ true);
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

  update(s: Step, z: usize, h: usize, u: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
    forward(s, z, h, u, x0, x1, x2, x3, /* coupled */ true, /* diagonal */ false);
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

  update(s: Step, z: usize, h: usize, u: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
    forward(s, z, h, u, x0, x1, x2, x3, /* coupled */ true, /* diagonal */ true);
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    backward(s, z, h, u, /* coupled */ true, /* diagonal */ true);
  }
}
