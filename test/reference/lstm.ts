/**
 * LSTM in all its forms. `s` is the sigmoid; v is what the gates see of the past: h_{t-1}, or c_{t-1} for the peephole form
 * `cell`. P_i, P_f, P_o are the diagonal peepholes, zero without them. Rows: input, forget, cell, output.
 *
 *     i = s(W_i x + R_i v + b_i + P_i (.) c_{t-1})
 *     f = s(W_f x + R_f v + b_f + P_f (.) c_{t-1})      coupled gates: f = 1 - i, and no forget rows anywhere
 *     g = tanh(W_g x + R_g v + b_g)
 *     c_t = f (.) c_{t-1} + i (.) g
 *     o = s(W_o x + R_o v + b_o + P_o (.) c_t)          the output gate sees the new cell state (the old one only as v)
 *     h_t = o (.) tanh(c_t)
 *
 *     da_o = dh (.) tanh(c_t) (.) o'                    ' = derivative of the activation, of the gate's own value
 *     dC   = dc + dh (.) o (.) tanh'(c_t) + P_o (.) da_o
 *     da_i = dC (.) g (.) i'                            coupled: dC (.) (g - c_{t-1}) (.) i'
 *     da_f = dC (.) c_{t-1} (.) f'
 *     da_g = dC (.) i (.) g'
 *     dc_{t-1} = dC (.) f + P_i (.) da_i + P_f (.) da_f
 *     dv = R^T da, added to dh_{t-1} or, in the form `cell`, to dc_{t-1}
 *     dP_i += da_i (.) c_{t-1}    dP_f += da_f (.) c_{t-1}    dP_o += da_o (.) c_t
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
  /** v above */
  seen: Vec;
  previousC: Vec;
  i: Vec;
  f: Vec;
  g: Vec;
  o: Vec;
  c: Vec;
}

export interface LstmForm {
  readonly peephole?: 'diagonal' | 'cell';
  readonly inputForget?: boolean;
}

export function lstmCell({ peephole, inputForget = false }: LstmForm): Cell<Tape> {
  const diagonal = peephole === 'diagonal';
  // Block numbers of the gates; the coupled form has no forget rows, so cell and output move up.
  const [I, F, G, O] = inputForget ? [0, -1, 1, 2] : [0, 1, 2, 3];
  const [PI, PF, PO] = inputForget ? [0, -1, 1] : [0, 1, 2];
  const gates = inputForget ? 3 : 4;

  return {
    gates,
    peepholes: diagonal ? gates - 1 : 0,
    hasCellState: true,

    forward(w, x, previous) {
      const size = previous.h.length;
      const previousC = previous.c;
      const seen = peephole === 'cell' ? previousC : previous.h;
      const a = new Float64Array(gates * size);
      addProduct(a, w.input, x);
      addProduct(a, w.recurrent, seen);
      add(a, w.biasInput);
      add(a, w.biasRecurrent);
      const p = (row: number, k: number): number => (diagonal ? w.peephole![row * size + k]! : 0);

      const vector = (): Vec => new Float64Array(size);
      const [i, f, g, o, c, h] = [vector(), vector(), vector(), vector(), vector(), vector()];
      for (let k = 0; k < size; k++) {
        i[k] = sigmoid(a[I * size + k]! + p(PI, k) * previousC[k]!);
        f[k] = inputForget ? 1 - i[k]! : sigmoid(a[F * size + k]! + p(PF, k) * previousC[k]!);
        g[k] = Math.tanh(a[G * size + k]!);
        c[k] = f[k]! * previousC[k]! + i[k]! * g[k]!;
        o[k] = sigmoid(a[O * size + k]! + p(PO, k) * c[k]!);
        h[k] = o[k]! * Math.tanh(c[k]!);
      }
      return { next: { h, c }, tape: { x, seen, previousC, i, f, g, o, c } };
    },

    backward(w, dw, { x, seen, previousC, i, f, g, o, c }, dnext) {
      const size = c.length;
      const da = new Float64Array(gates * size);
      const dc = new Float64Array(size);
      for (let k = 0; k < size; k++) {
        const tanhC = Math.tanh(c[k]!);
        const dao = dnext.h[k]! * tanhC * dSigmoid(o[k]!);
        let dC = dnext.c[k]! + dnext.h[k]! * o[k]! * dTanh(tanhC);
        if (diagonal) dC += w.peephole![PO * size + k]! * dao;
        const dai = dC * (inputForget ? g[k]! - previousC[k]! : g[k]!) * dSigmoid(i[k]!);
        const daf = inputForget ? 0 : dC * previousC[k]! * dSigmoid(f[k]!);
        da[I * size + k] = dai;
        if (!inputForget) da[F * size + k] = daf;
        da[G * size + k] = dC * i[k]! * dTanh(g[k]!);
        da[O * size + k] = dao;
        dc[k] = dC * f[k]!;
        if (diagonal) {
          dc[k]! += w.peephole![PI * size + k]! * dai;
          dw.peephole![PI * size + k]! += dai * previousC[k]!;
          dw.peephole![PO * size + k]! += dao * c[k]!;
          if (!inputForget) {
            dc[k]! += w.peephole![PF * size + k]! * daf;
            dw.peephole![PF * size + k]! += daf * previousC[k]!;
          }
        }
      }
      const dx = new Float64Array(x.length);
      const dh = new Float64Array(size);
      addTransposedProduct(dx, w.input, da);
      addTransposedProduct(peephole === 'cell' ? dc : dh, w.recurrent, da);
      addOuter(dw.input, da, x);
      addOuter(dw.recurrent, da, seen);
      addTo(dw.biasInput, da);
      addTo(dw.biasRecurrent, da);
      return { dx, dprevious: { h: dh, c: dc } };
    },
  };
}
