/**
 * GRU. Rows: reset, update, new. The two forms differ in where the reset gate acts; b_hn is the recurrent bias of `new`.
 *
 *     r = s(W_r x + b_ir + R_r h_{t-1} + b_hr)
 *     z = s(W_z x + b_iz + R_z h_{t-1} + b_hz)
 *     after:   n = tanh(W_n x + b_in + r (.) (R_n h_{t-1} + b_hn))
 *     before:  n = tanh(W_n x + b_in + R_n (r (.) h_{t-1}) + b_hn)
 *     h_t = (1 - z) (.) n + z (.) h_{t-1}
 *
 *     da_n = dh (.) (1 - z) (.) n'
 *     da_z = dh (.) (h_{t-1} - n) (.) z'
 *     after:   dq = r (.) da_n                 gradient of R_n h_{t-1} + b_hn, with q its value
 *              da_r = da_n (.) q (.) r'
 *              dh_{t-1} = dh (.) z + R_r^T da_r + R_z^T da_z + R_n^T dq        dR_n += dq h_{t-1}^T
 *     before:  dm = R_n^T da_n                 gradient of m = r (.) h_{t-1}
 *              da_r = dm (.) h_{t-1} (.) r'
 *              dh_{t-1} = dh (.) z + R_r^T da_r + R_z^T da_z + dm (.) r        dR_n += da_n m^T
 */
import type { Cell } from './cell.ts';
import {
  add,
  addOuter,
  addProduct,
  addTo,
  addTransposedProduct,
  dSigmoid,
  dTanh,
  sigmoid,
  type Vec,
} from './math.ts';

interface Tape {
  x: Vec;
  previous: Vec;
  r: Vec;
  z: Vec;
  n: Vec;
  /** after: R_n h_{t-1} + b_hn; before: r (.) h_{t-1} */
  inner: Vec;
}

export function gruCell(resetAfter = true): Cell<Tape> {
  return {
    gates: 3,
    peepholes: 0,
    hasCellState: false,

    forward(w, x, { h: previous, c }) {
      const size = previous.length;
      const fromInput = new Float64Array(3 * size);
      addProduct(fromInput, w.input, x);
      add(fromInput, w.biasInput);
      const fromState = new Float64Array(3 * size);
      const stateOfNew = fromState.subarray(2 * size);
      addProduct(fromState.subarray(0, 2 * size), w.recurrent, previous);
      const r = previous.map((_, k) =>
        sigmoid(fromInput[k]! + fromState[k]! + (w.biasRecurrent?.[k] ?? 0)),
      );
      const z = previous.map((_, k) =>
        sigmoid(fromInput[size + k]! + fromState[size + k]! + (w.biasRecurrent?.[size + k] ?? 0)),
      );
      const product = previous.map((h, k) => r[k]! * h);
      addProduct(
        stateOfNew,
        w.recurrent.subarray(2 * size * size),
        resetAfter ? previous : product,
      );
      add(stateOfNew, w.biasRecurrent?.subarray(2 * size));
      const n = previous.map((_, k) =>
        Math.tanh(fromInput[2 * size + k]! + (resetAfter ? r[k]! : 1) * stateOfNew[k]!),
      );
      const h = previous.map((old, k) => (1 - z[k]!) * n[k]! + z[k]! * old);
      const inner = resetAfter ? stateOfNew : product;
      return { next: { h, c }, tape: { x, previous, r, z, n, inner } };
    },

    backward(w, dw, { x, previous, r, z, n, inner }, dnext) {
      const size = previous.length;
      // Gradients of the pre-activations, as the input product and as the recurrent product see them.
      const da = new Float64Array(3 * size);
      const [dar, daz, dan] = [0, 1, 2].map((row) => da.subarray(row * size, (row + 1) * size)) as [
        Vec,
        Vec,
        Vec,
      ];
      const newRows = w.recurrent.subarray(2 * size * size);
      const newRowsGradient = dw.recurrent.subarray(2 * size * size);
      const dh = new Float64Array(size);
      for (let k = 0; k < size; k++) {
        dan[k] = dnext.h[k]! * (1 - z[k]!) * dTanh(n[k]!);
        daz[k] = dnext.h[k]! * (previous[k]! - n[k]!) * dSigmoid(z[k]!);
        dh[k] = dnext.h[k]! * z[k]!;
      }
      const dq = resetAfter ? dan.map((value, k) => value * r[k]!) : dan;
      if (resetAfter) {
        for (let k = 0; k < size; k++) dar[k] = dan[k]! * inner[k]! * dSigmoid(r[k]!);
        addTransposedProduct(dh, newRows, dq);
        addOuter(newRowsGradient, dq, previous);
      } else {
        const dm = new Float64Array(size);
        addTransposedProduct(dm, newRows, dan);
        for (let k = 0; k < size; k++) {
          dar[k] = dm[k]! * previous[k]! * dSigmoid(r[k]!);
          dh[k]! += dm[k]! * r[k]!;
        }
        addOuter(newRowsGradient, dan, inner);
      }
      const gateRows = da.subarray(0, 2 * size);
      addTransposedProduct(dh, w.recurrent, gateRows);
      addOuter(dw.recurrent, gateRows, previous);
      const dx = new Float64Array(x.length);
      addTransposedProduct(dx, w.input, da);
      addOuter(dw.input, da, x);
      addTo(dw.biasInput, da);
      if (dw.biasRecurrent) {
        add(dw.biasRecurrent.subarray(0, 2 * size), gateRows);
        add(dw.biasRecurrent.subarray(2 * size), dq);
      }
      return { dx, dprevious: { h: dh, c: dnext.c } };
    },
  };
}
