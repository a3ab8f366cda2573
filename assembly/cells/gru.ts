/**
 * Gated recurrent unit (Cho et al. 2014), in its two readings; z keeps the old state in both.
 *
 *   r = s(W_r x + R_r h' + b_r)     z = s(W_z x + R_z h' + b_z)     h = n + z (h' - n)
 *   after:    n = tanh(W_n x + b_n + r q),  q = R_n h' + b_qn         (PyTorch, Keras, cuDNN)
 *   before:   n = tanh(W_n x + R_n (r h') + b_n)                      (Cho et al., ONNX by default)
 *
 *   dn = dh (1 - z)   dz = dh (h' - n)   n- = dn (1 - n^2)   z- = dz z (1 - z)   dh' = dh z + ...
 *   after:    r- = n- q r (1 - r)          q- = n- r            dh' += [r- z- q-] R^T
 *   before:   e = n- R_n^T                 r- = e h' r (1 - r)  dh' += e r + [r- z-] R^T
 *
 * With options (base/structs.ts) the sums are clipped, s and tanh become other activations, and q
 * may be normalised.
 */

import { Options, Sequence, Step } from '../base/structs';
import { d_sigmoid, d_tanh, sigmoids, tanh } from '../base/math';
import { Cell, gate, gateBackward, held, incoming } from './cell';
import * as codes from '../shared/codes';
import { flush, madd } from '../base/simd';

/** n + z (h' - n) */
// @ts-ignore: decorator
@inline
function blend(n: v128, z: v128, previous: v128): v128 {
  return flush(madd(z, f32x4.sub(previous, n), n));
}

/**
 * Reset after the product: panels r z n of four units, the sums of the input in gates, those of the
 * state in products.
 */
@final
@unmanaged
export class GruAfter extends Cell {

  @inline
  vectors(): i32 {
    return 3;
  }


  @inline
  span(): i32 {
    return 16;
  }


  @inline
  gates(s: Step, z: usize, _h: usize, _u: usize): void {
    const gates = s.gates + z;
    const products = s.products + z;
    const r = f32x4.add(v128.load(gates), v128.load(products));
    const update = f32x4.add(v128.load(gates, 16), v128.load(products, 16));
    sigmoids(r, update, update, gates, gates + 16, gates + 16);
  }


  @inline
  state(s: Step, z: usize, h: usize, _u: usize): void {
    const gates = s.gates + z;
    const products = s.products + z;
    const r = v128.load(gates);
    const update = v128.load(gates, 16);
    const n = tanh(madd(r, v128.load(products, 32), v128.load(gates, 32)));
    v128.store(gates, n, 32);
    v128.store(s.h + h, blend(n, update, v128.load(s.hPrevious + h)));
  }

  backward(s: Step, z: usize, h: usize, _u: usize): void {
    const gates = s.gates + z;
    const products = s.products + z;
    const r = v128.load(gates);
    const update = v128.load(gates, 16);
    const n = v128.load(gates, 32);
    const dh = incoming(s, h);
    const dn = f32x4.sub(dh, f32x4.mul(dh, update));
    const n_ = held(s, f32x4.mul(dn, d_tanh(n)));
    const dr = f32x4.mul(n_, v128.load(products, 32));
    const r_ = held(s, f32x4.mul(dr, d_sigmoid(r)));
    const dz = f32x4.mul(dh, f32x4.sub(v128.load(s.hPrevious + h), n));
    const z_ = held(s, f32x4.mul(dz, d_sigmoid(update)));
    v128.store(gates, r_);
    v128.store(gates, z_, 16);
    v128.store(gates, n_, 32);
    v128.store(products, r_);
    v128.store(products, z_, 16);
    v128.store(products, f32x4.mul(n_, r), 32);
    v128.store(s.dh + h, f32x4.mul(dh, update));
  }
}

/**
 * Reset before the product, first half: panels of eight units r, then the same eight z; leaves r h'
 * for the second product.
 */
@final
@unmanaged
export class GruGates extends Cell {

  @inline
  vectors(): i32 {
    return 4;
  }


  @inline
  span(): i32 {
    return 32;
  }


  @inline
  gates(s: Step, z: usize, _h: usize, _u: usize): void {
    for (let v = 0; v < 32; v += 16) {
      const r = s.gates + z + v;
      const update = r + 32;
      sigmoids(v128.load(r), v128.load(update), v128.load(update), r, update, update);
    }
  }


  @inline
  state(s: Step, z: usize, h: usize, _u: usize): void {
    for (let v = 0; v < 32; v += 16) {
      const r = v128.load(s.gates + z + v);
      v128.store(s.products + h + v, f32x4.mul(r, v128.load(s.hPrevious + h + v)));
    }
  }

  /** Takes e = dL/d(r h') from dc; adds its share to dh. */
  backward(s: Step, z: usize, h: usize, _u: usize): void {
    for (let v = 0; v < 32; v += 16) {
      const gate = s.gates + z + v;
      const r = v128.load(gate);
      const e = v128.load(s.dc + h + v);
      const previous = v128.load(s.hPrevious + h + v);
      v128.store(gate, held(s, f32x4.mul(f32x4.mul(e, previous), d_sigmoid(r))));
      v128.store(s.dh + h + v, madd(e, r, v128.load(s.dh + h + v)));
    }
  }
}

/** Reset before the product, second half: 16 units n, whose columns follow those of all r and z. */
@final
@unmanaged
export class GruCandidate extends Cell {

  @inline
  vectors(): i32 {
    return 4;
  }


  @inline
  span(): i32 {
    return 64;
  }

  /**
   * Where the update gate of four units is, from where their n is: 64 bytes for eight units, the z
   * behind the r.
   */
  @inline
  gate(s: Step, z: usize, u: usize, v: i32): usize {
    const row = s.gates + z - 2 * s.hiddenBytes - u;
    const unit = <i32>u + v;
    return row + ((unit >> 5) << 6) + 32 + (unit & 31);
  }


  @inline
  gates(_s: Step, _z: usize, _h: usize, _u: usize): void {}


  @inline
  state(s: Step, z: usize, h: usize, u: usize): void {
    for (let v = 0; v < 64; v += 16) {
      const n = tanh(v128.load(s.gates + z + v));
      v128.store(s.gates + z + v, n);
      const update = v128.load(this.gate(s, z, u, v));
      v128.store(s.h + h + v, blend(n, update, v128.load(s.hPrevious + h + v)));
    }
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    for (let v = 0; v < 64; v += 16) {
      const gate = this.gate(s, z, u, v);
      const n = v128.load(s.gates + z + v);
      const update = v128.load(gate);
      const dh = incoming(s, h + v);
      const previous = v128.load(s.hPrevious + h + v);
      const dn = f32x4.sub(dh, f32x4.mul(dh, update));
      v128.store(s.gates + z + v, held(s, f32x4.mul(dn, d_tanh(n))));
      const dz = f32x4.mul(dh, f32x4.sub(previous, n));
      v128.store(gate, held(s, f32x4.mul(dz, d_sigmoid(update))));
      v128.store(s.dh + h + v, f32x4.mul(dh, update));
    }
  }
}

/**
 * r and z of one row of a layer with options. After: from the sums of the input in gates and the
 * recurrent ones in products. Before: from whole sums; r a takes its place in products, a being
 * what the recurrent product reads.
 */
export function gruGates(q: Sequence, o: Options, row: i32, a: usize): void {
  const wide = q.hiddenBytes;
  const gates = q.gates + row * q.gateRow;
  const products = q.products + row * q.productRow;
  const kept = o.sums ? o.sums + (q.row + row) * q.gateRow : 0;
  const after = o.kind == codes.CELL_GRU_AFTER;
  for (let u = 0; u < 2 * wide; u += 16) {
    let x = v128.load(gates + u);
    if (after) x = f32x4.add(x, v128.load(products + u));
    const y = gate(o.gate, x, o.preactClip, kept ? kept + u : 0);
    v128.store(gates + u, y);
    if (!after && u < wide) v128.store(products + u, f32x4.mul(y, v128.load(a + u)));
  }
}

/** n and the new state m of the same row. */
export function gruCandidate(q: Sequence, o: Options, row: i32, m: usize): void {
  const wide = q.hiddenBytes;
  const gates = q.gates + row * q.gateRow;
  const products = q.products + row * q.productRow;
  const kept = o.sums ? o.sums + (q.row + row) * q.gateRow : 0;
  const candidate = 2 * wide;
  for (let u = 0; u < wide; u += 16) {
    let x = v128.load(gates + candidate + u);
    if (o.kind == codes.CELL_GRU_AFTER) {
      x = madd(v128.load(gates + u), v128.load(products + candidate + u), x);
    }
    const n = gate(o.candidate, x, o.preactClip, kept ? kept + candidate + u : 0);
    v128.store(gates + candidate + u, n);
    const previous = v128.load(q.hPrevious + row * q.stateRow + u);
    v128.store(m + u, blend(n, v128.load(gates + wide + u), previous));
  }
}

/**
 * Backwards, first: gates of n and z become gradients of their sums, dh gets dm z; after: r and the
 * products too.
 */
export function gruCandidateBackward(q: Sequence, o: Options, row: i32, dm: usize): void {
  const wide = q.hiddenBytes;
  const gates = q.gates + row * q.gateRow;
  const products = q.products + row * q.productRow;
  const kept = o.sums + (q.row + row) * q.gateRow;
  const state = row * q.stateRow;
  const limit = o.preactClip;
  const candidate = 2 * wide;
  for (let u = 0; u < wide; u += 16) {
    const d = v128.load(dm + u);
    const z = v128.load(gates + wide + u);
    const n = v128.load(gates + candidate + u);
    const previous = v128.load(q.hPrevious + state + u);
    const dn = f32x4.sub(d, f32x4.mul(d, z));
    const n_ = gateBackward(q, o.candidate, dn, n, limit, kept + candidate + u);
    const dz = f32x4.mul(d, f32x4.sub(previous, n));
    const z_ = gateBackward(q, o.gate, dz, z, limit, kept + wide + u);
    v128.store(gates + candidate + u, n_);
    v128.store(gates + wide + u, z_);
    v128.store(q.dh + state + u, madd(d, z, v128.load(q.dh + state + u)));
    if (o.kind != codes.CELL_GRU_AFTER) continue;
    const r = v128.load(gates + u);
    const dr = f32x4.mul(n_, v128.load(products + candidate + u));
    const r_ = gateBackward(q, o.gate, dr, r, limit, kept + u);
    v128.store(gates + u, r_);
    v128.store(products + u, r_);
    v128.store(products + wide + u, z_);
    v128.store(products + candidate + u, f32x4.mul(n_, r));
  }
}

/**
 * Backwards with reset before, then: e = dL/d(r a) becomes the gradient of a, and r that of its
 * sum.
 */
export function gruResetBackward(q: Sequence, o: Options, row: i32, a: usize, e: usize): void {
  const gates = q.gates + row * q.gateRow;
  const kept = o.sums + (q.row + row) * q.gateRow;
  for (let u = 0; u < q.hiddenBytes; u += 16) {
    const r = v128.load(gates + u);
    const d = v128.load(e + u);
    const dr = f32x4.mul(d, v128.load(a + u));
    v128.store(gates + u, gateBackward(q, o.gate, dr, r, o.preactClip, kept + u));
    v128.store(e + u, f32x4.mul(d, r));
  }
}
