/**
 * Minimal gated recurrent unit (Feng et al. 2024): neither gate nor candidate sees a state, so that
 * there is no recurrent matrix. Panels of eight units z, then the same eight n.
 *
 *   z = s(W_z x + b_z)        n = W_n x + b_n        h = h' + z (n - h')
 *
 *   z- = dh (n - h') z (1 - z)        n- = dh z        dh' = dh (1 - z)
 *
 * A policy may put another activation in the place of s, give n one, and clip what they see.
 */

import { Cell, everyPanel, incoming } from './cell';
import { Chosen, Identity, Policy, Usual } from './policy';
import { Sequence, Step } from '../base/structs';
import * as codes from '../shared/codes';
import { flush, madd, nmadd } from '../base/simd';


@final
@unmanaged
export class MinGru<P extends Policy> extends Cell {

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
    const by = changetype<P>(0);
    const at = s.gates + z;
    for (let v = 0; v < 32; v += 16) {
      const n = at + v + 32;
      v128.store(at + v, by.gate(s, v128.load(at + v), at + v));
      v128.store(n, by.candidate(s, v128.load(n), n));
    }
  }


  @inline
  state(s: Step, z: usize, h: usize, _u: usize): void {
    for (let v = 0; v < 32; v += 16) {
      const at = s.gates + z + v;
      const previous = v128.load(s.hPrevious + h + v);
      const change = f32x4.sub(v128.load(at, 32), previous);
      v128.store(s.h + h + v, flush(madd(v128.load(at), change, previous)));
    }
  }

  backward(s: Step, z: usize, h: usize, _u: usize): void {
    const by = changetype<P>(0);
    for (let v = 0; v < 32; v += 16) {
      const at = s.gates + z + v;
      const update = v128.load(at);
      const n = v128.load(at, 32);
      const dh = incoming(s, h + v);
      const dz = f32x4.mul(dh, f32x4.sub(n, v128.load(s.hPrevious + h + v)));
      v128.store(at, by.gateBack(s, dz, update, at));
      v128.store(at + 32, by.candidateBack(s, f32x4.mul(dh, update), n, at + 32));
      v128.store(s.dh + h + v, nmadd(dh, update, dh));
    }
  }
}

export function minGru(q: Sequence, first: i32, end: i32, back: bool): void {
  if (q.policy == codes.POLICY_CHOSEN) everyPanel<MinGru<Chosen>>(q, 0, first, end, back);
  else everyPanel<MinGru<Usual<Identity>>>(q, 0, first, end, back);
}
