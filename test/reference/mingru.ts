/**
 * Minimal GRU (Feng et al. 2024). Rows: update, new. No gate sees a state.
 *
 *     z = f(a_z)    a_z = W_z x + b_z
 *     n = g(a_n)    a_n = W_n x + b_n
 *     h_t = (1 - z) (.) h_{t-1} + z (.) n
 *
 *     da_z = dh (.) (n - h_{t-1}) (.) f'(a_z)
 *     da_n = dh (.) z (.) g'(a_n)
 *     dh_{t-1} = dh (.) (1 - z)        dx = W^T da   dW += da x^T   db += da
 */
import type { MinGruSpec } from '../../src/ops/recurrent/mingru.ts';
import { clamp, curvesOf, nearest, type Curve } from './activation.ts';
import type { Cell, StepTape } from './cell.ts';
import { add, addTo, type Vec } from './math.ts';
import { productBackward, productForward, type ProductTape } from './norm.ts';

interface Tape extends StepTape {
  readonly fromInput: ProductTape;
  readonly previous: Vec;
  /** Inputs of the activations, 2H */
  readonly a: Vec;
  readonly z: Vec;
  readonly n: Vec;
}

export function minGruCell(spec: MinGruSpec, reverse: boolean, limit: number): Cell<Tape> {
  const [f, g] = curvesOf(spec, reverse) as [Curve, Curve];
  return {
    gates: 2,
    hasRecurrence: false,
    peepholes: 0,
    hasCellState: false,
    seen: 'h',
    diagonal: false,

    forward(w, size, x, { h: previous, c }) {
      const { y: a, tape: fromInput } = productForward(w.input, 2 * size, x);
      add(a, w.biasInput);
      const [az, an] = [a.subarray(0, size), a.subarray(size)];
      const z = az.map((value) => f.value(value));
      const n = an.map((value) => g.value(value));
      const h = previous.map((old, k) => (1 - z[k]!) * old + z[k]! * n[k]!);
      const kink = Math.min(nearest(f.kinks, az), nearest(g.kinks, an));
      return { next: { h, c }, tape: { fromInput, previous, a, z, n, kink } };
    },

    backward(w, dw, { fromInput, previous, a, z, n }, dnext) {
      const size = previous.length;
      const da = new Float64Array(2 * size);
      for (let k = 0; k < size; k++) {
        const dz = dnext.h[k]! * (n[k]! - previous[k]!);
        da[k] = clamp(dz * f.slope(a[k]!), limit);
        da[size + k] = clamp(dnext.h[k]! * z[k]! * g.slope(a[size + k]!), limit);
      }
      addTo(dw.biasInput, da);
      const dx = productBackward(w.input, dw.input, fromInput, da);
      const h = dnext.h.map((d, k) => d * (1 - z[k]!));
      return { dx, dprevious: { h, c: dnext.c } };
    },
  };
}
