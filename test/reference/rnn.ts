/**
 * Elman network. m: mask of the recurrent product, 1 where there is none.
 *
 *     a = W x_t + b_ih + R (m (.) h_{t-1}) + b_hh          h_t = f(a)
 *
 *     da = dh_t (.) f'(a)
 *     dx = W^T da   dh_{t-1} = m (.) R^T da   dW += da x^T   dR += da (m (.) h_{t-1})^T   db_ih += da   db_hh += da
 */
import type { RnnSpec } from '../../src/ops/recurrent/rnn.ts';
import { clamp, curvesOf, nearest } from './activation.ts';
import type { Cell, StepTape } from './cell.ts';
import { add, addTo, times, type Vec } from './math.ts';
import { productBackward, productForward, type ProductTape } from './norm.ts';

interface Tape extends StepTape {
  readonly fromInput: ProductTape;
  readonly fromState: ProductTape;
  readonly mask: Vec | undefined;
  readonly a: Vec;
}

export function rnnCell(spec: RnnSpec, reverse: boolean, limit: number): Cell<Tape> {
  const [f] = curvesOf(spec, reverse);
  return {
    hasRecurrence: true,
    gates: 1,
    peepholes: 0,
    hasCellState: false,
    seen: 'h',
    diagonal: false,

    forward(w, size, x, { h: previous, c }, mask) {
      const fromInput = productForward(w.input, size, x);
      const fromState = productForward(w.recurrent, size, times(previous, mask));
      const a = fromInput.y;
      add(a, w.biasInput);
      add(a, fromState.y);
      add(a, w.biasRecurrent);
      const kink = nearest(f!.kinks, a);
      const tape = { fromInput: fromInput.tape, fromState: fromState.tape, mask, a, kink };
      return { next: { h: a.map((value) => f!.value(value)), c }, tape };
    },

    backward(w, dw, { fromInput, fromState, mask, a }, dnext) {
      const da = a.map((value, k) => clamp(dnext.h[k]! * f!.slope(value), limit));
      addTo(dw.biasInput, da);
      addTo(dw.biasRecurrent, da);
      const dx = productBackward(w.input, dw.input, fromInput, da);
      const dh = times(productBackward(w.recurrent, dw.recurrent, fromState, da), mask);
      return { dx, dprevious: { h: dh, c: dnext.c } };
    },
  };
}
