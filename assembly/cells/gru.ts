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
 * A policy may put other activations in the places of s and tanh, and clip what they see.
 */

import { Cell, everyPanel, incoming } from './cell';
import { Chosen, Policy, Tanh, Usual } from './policy';
import { Sequence, Step } from '../base/structs';
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
export class GruAfter<P extends Policy> extends Cell {

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
    changetype<P>(0).two(s, r, update, gates, gates + 16);
  }


  @inline
  state(s: Step, z: usize, h: usize, _u: usize): void {
    const gates = s.gates + z;
    const products = s.products + z;
    const r = v128.load(gates);
    const update = v128.load(gates, 16);
    const x = madd(r, v128.load(products, 32), v128.load(gates, 32));
    const n = changetype<P>(0).candidate(s, x, gates + 32);
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
    const by = changetype<P>(0);
    const n_ = by.candidateBack(s, dn, n, gates + 32);
    const r_ = by.gateBack(s, f32x4.mul(n_, v128.load(products, 32)), r, gates);
    const dz = f32x4.mul(dh, f32x4.sub(v128.load(s.hPrevious + h), n));
    const z_ = by.gateBack(s, dz, update, gates + 16);
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
export class GruGates<P extends Policy> extends Cell {

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
      changetype<P>(0).two(s, v128.load(r), v128.load(update), r, update);
    }
  }


  @inline
  state(s: Step, z: usize, h: usize, _u: usize): void {
    for (let v = 0; v < 32; v += 16) {
      const r = v128.load(s.gates + z + v);
      v128.store(s.products + h + v, f32x4.mul(r, v128.load(s.a + h + v)));
    }
  }

  /** Takes e = dL/d(r h') from dc; adds e r to da. */
  backward(s: Step, z: usize, h: usize, _u: usize): void {
    for (let v = 0; v < 32; v += 16) {
      const gate = s.gates + z + v;
      const r = v128.load(gate);
      const e = v128.load(s.dc + h + v);
      const dr = f32x4.mul(e, v128.load(s.a + h + v));
      v128.store(gate, changetype<P>(0).gateBack(s, dr, r, gate));
      v128.store(s.da + h + v, madd(e, r, v128.load(s.da + h + v)));
    }
  }
}

/** Reset before the product, second half: 16 units n, whose columns follow those of all r and z. */
@final
@unmanaged
export class GruCandidate<P extends Policy> extends Cell {

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
      const at = s.gates + z + v;
      const n = changetype<P>(0).candidate(s, v128.load(at), at);
      v128.store(at, n);
      const update = v128.load(this.gate(s, z, u, v));
      v128.store(s.h + h + v, blend(n, update, v128.load(s.hPrevious + h + v)));
    }
  }

  backward(s: Step, z: usize, h: usize, u: usize): void {
    for (let v = 0; v < 64; v += 16) {
      const by = changetype<P>(0);
      const gate = this.gate(s, z, u, v);
      const at = s.gates + z + v;
      const n = v128.load(at);
      const update = v128.load(gate);
      const dh = incoming(s, h + v);
      const previous = v128.load(s.hPrevious + h + v);
      const dn = f32x4.sub(dh, f32x4.mul(dh, update));
      v128.store(at, by.candidateBack(s, dn, n, at));
      const dz = f32x4.mul(dh, f32x4.sub(previous, n));
      v128.store(gate, by.gateBack(s, dz, update, gate));
      v128.store(s.dh + h + v, f32x4.mul(dh, update));
    }
  }
}

export function gruAfter(q: Sequence, first: i32, end: i32, back: bool): void {
  if (q.policy == codes.POLICY_CHOSEN) everyPanel<GruAfter<Chosen>>(q, 0, first, end, back);
  else everyPanel<GruAfter<Usual<Tanh>>>(q, 0, first, end, back);
}

// @ts-ignore: decorator
@inline
function everyReset<P extends Policy>(q: Sequence, candidate: bool, back: bool): void {
  if (!candidate) everyPanel<GruGates<P>>(q, 0, 0, q.padded >> 3, back);
  else everyPanel<GruCandidate<P>>(q, 2 * q.hiddenBytes, 0, q.padded >> 4, back);
}

export function gruBefore(q: Sequence, candidate: bool, back: bool): void {
  if (q.policy == codes.POLICY_CHOSEN) everyReset<Chosen>(q, candidate, back);
  else everyReset<Usual<Tanh>>(q, candidate, back);
}
