/**
 * GRU. Rows: reset, update, new. The two forms differ in where the reset gate acts; b_hn is the
 * recurrent bias of `new`. v = m (.) h_{t-1} with m the mask of the recurrent product, 1 where
 * there is none. Products with x and v may be layer-normalised, each over all 3H numbers, in the
 * form `after`.
 *
 *     r = f(a_r)    a_r = W_r x + b_ir + R_r v + b_hr
 *     z = f(a_z)    a_z = W_z x + b_iz + R_z v + b_hz
 *     n = g(a_n)    after:   a_n = W_n x + b_in + r (.) (R_n v + b_hn)
 *                   before:  a_n = W_n x + b_in + R_n (r (.) v) + b_hn
 *     h_t = (1 - z) (.) n + z (.) h_{t-1}
 *
 *     da_n = dh (.) (1 - z) (.) g'(a_n)
 *     da_z = dh (.) (h_{t-1} - n) (.) f'(a_z)
 *     after:   dq = r (.) da_n                 gradient of R_n v + b_hn, with q its value
 *              da_r = da_n (.) q (.) f'(a_r)
 *              dv = R_r^T da_r + R_z^T da_z + R_n^T dq                    dR_n += dq v^T
 *     before:  ds = R_n^T da_n                 gradient of s = r (.) v
 *              da_r = ds (.) v (.) f'(a_r)
 *              dv = R_r^T da_r + R_z^T da_z + ds (.) r                    dR_n += da_n s^T
 *     dh_{t-1} = dh (.) z + m (.) dv
 */
import type { GruSpec } from '../../src/ops/recurrent/gru.ts';
import { clamp, curvesOf, nearest, type Curve } from './activation.ts';
import type { Cell, CellWeights, StepTape } from './cell.ts';
import { add, addTo, times, type Vec } from './math.ts';
import { productBackward, productForward, type Factor, type ProductTape } from './norm.ts';

interface Tape extends StepTape {
  readonly fromInput: ProductTape;
  /** after: of all rows; before: of those of reset and update */
  readonly fromState: ProductTape;
  /** before: of the rows of `new` with r (.) v */
  readonly fromReset?: ProductTape;
  readonly mask: Vec | undefined;
  readonly gates: Gates;
}

interface Gates {
  readonly previous: Vec;
  readonly seen: Vec;
  /** Inputs of the activations, 3H */
  readonly a: Vec;
  readonly r: Vec;
  readonly z: Vec;
  readonly n: Vec;
  /** after: R_n v + b_hn */
  readonly q: Vec;
}

/** R without its rows of `new`, and those alone. */
function split(
  { recurrent: { matrix, round } }: CellWeights,
  size: number,
): [gates: Factor, new_: Factor] {
  const cut = 2 * size * size;
  return [
    { matrix: matrix.subarray(0, cut), round },
    { matrix: matrix.subarray(cut), round },
  ];
}

export function gruCell(spec: GruSpec, reverse: boolean, limit: number): Cell<Tape> {
  const resetAfter = spec.resetAfter ?? true;
  const [f, g] = curvesOf(spec, reverse) as [Curve, Curve];
  return {
    hasRecurrence: true,
    gates: 3,
    peepholes: 0,
    hasCellState: false,
    seen: 'h',
    diagonal: false,

    forward(w, size, x, { h: previous, c }, mask) {
      const seen = times(previous, mask);
      const [gateRows, newRows] = split(w, size);
      const fromInput = productForward(w.input, 3 * size, x);
      const fromState = resetAfter
        ? productForward(w.recurrent, 3 * size, seen)
        : productForward(gateRows, 2 * size, seen);
      const a = fromInput.y;
      add(a, w.biasInput);
      const gates = a.subarray(0, 2 * size);
      add(gates, fromState.y);
      add(gates, w.biasRecurrent);
      const r = gates.subarray(0, size).map((value) => f.value(value));
      const z = gates.subarray(size).map((value) => f.value(value));
      const fromReset = resetAfter ? undefined : productForward(newRows, size, times(r, seen));
      const q = fromReset?.y ?? fromState.y.slice(2 * size);
      add(q, w.biasRecurrent?.subarray(2 * size));
      const an = a.subarray(2 * size);
      add(an, resetAfter ? times(r, q) : q);
      const n = an.map((value) => g.value(value));
      const h = previous.map((old, k) => (1 - z[k]!) * n[k]! + z[k]! * old);
      const tape = {
        fromInput: fromInput.tape,
        fromState: fromState.tape,
        fromReset: fromReset?.tape,
        mask,
        gates: { previous, seen, a, r, z, n, q },
        kink: Math.min(nearest(f.kinks, gates), nearest(g.kinks, an)),
      };
      return { next: { h, c }, tape };
    },

    backward(w, dw, tape, dnext) {
      const { previous, seen, a, r, z, n, q } = tape.gates;
      const size = previous.length;
      const da = new Float64Array(3 * size);
      const [dar, dan] = [da.subarray(0, size), da.subarray(2 * size)];
      for (let k = 0; k < size; k++) {
        dan[k] = clamp(dnext.h[k]! * (1 - z[k]!) * g.slope(a[2 * size + k]!), limit);
        const dz = dnext.h[k]! * (previous[k]! - n[k]!);
        da[size + k] = clamp(dz * f.slope(a[size + k]!), limit);
      }
      // As the recurrent product sees the gradients: those of `new` before the reset gate.
      const dState = da.slice();
      const [gateRows, newRows] = split(w, size);
      const [dGateRows, dNewRows] = split(dw, size);
      const ds = resetAfter
        ? times(dan, q)
        : productBackward(newRows, dNewRows, tape.fromReset!, dan);
      for (let k = 0; k < size; k++) {
        dar[k] = clamp(ds[k]! * (resetAfter ? 1 : seen[k]!) * f.slope(a[k]!), limit);
        dState[k] = dar[k]!;
        if (resetAfter) dState[2 * size + k] = dan[k]! * r[k]!;
      }
      const dv = resetAfter
        ? productBackward(w.recurrent, dw.recurrent, tape.fromState, dState)
        : productBackward(gateRows, dGateRows, tape.fromState, dState.subarray(0, 2 * size));
      if (!resetAfter) add(dv, times(ds, r));
      const dh = times(dnext.h, z);
      add(dh, times(dv, tape.mask));
      addTo(dw.biasInput, da);
      addTo(dw.biasRecurrent, dState);
      const dx = productBackward(w.input, dw.input, tape.fromInput, da);
      return { dx, dprevious: { h: dh, c: dnext.c } };
    },
  };
}
