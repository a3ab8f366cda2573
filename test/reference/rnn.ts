/**
 * Elman network.
 *
 *     h_t = a(W x_t + b_ih + R h_{t-1} + b_hh)          a = tanh or relu
 *
 *     da  = dh_t (.) a'        a' = 1 - h_t^2 (tanh); 1 where h_t > 0, else 0 (relu)
 *     dx = W^T da   dh_{t-1} = R^T da   dW += da x^T   dR += da h_{t-1}^T   db_ih += da   db_hh += da
 */
import type { Cell } from './cell.ts';
import { add, addOuter, addProduct, addTo, addTransposedProduct, dTanh, type Vec } from './math.ts';

export interface RnnTape {
  x: Vec;
  previous: Vec;
  /** W x_t + b_ih + R h_{t-1} + b_hh */
  a: Vec;
  h: Vec;
}

export function rnnCell(nonlinearity: 'tanh' | 'relu' = 'tanh'): Cell<RnnTape> {
  const relu = nonlinearity === 'relu';
  return {
    gates: 1,
    peepholes: 0,
    hasCellState: false,

    forward(w, x, { h: previous, c }) {
      const a = new Float64Array(previous.length);
      addProduct(a, w.input, x);
      addProduct(a, w.recurrent, previous);
      add(a, w.biasInput);
      add(a, w.biasRecurrent);
      const h = a.map((value) => (relu ? Math.max(0, value) : Math.tanh(value)));
      return { next: { h, c }, tape: { x, previous, a, h } };
    },

    backward(w, dw, { x, previous, h }, dnext) {
      const da = h.map((y, k) => dnext.h[k]! * (relu ? Number(y > 0) : dTanh(y)));
      const dx = new Float64Array(x.length);
      const dh = new Float64Array(h.length);
      addTransposedProduct(dx, w.input, da);
      addTransposedProduct(dh, w.recurrent, da);
      addOuter(dw.input, da, x);
      addOuter(dw.recurrent, da, previous);
      addTo(dw.biasInput, da);
      addTo(dw.biasRecurrent, da);
      return { dx, dprevious: { h: dh, c: dnext.c } };
    },
  };
}
