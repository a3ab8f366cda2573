/**
 * IndRNN. u: one recurrent weight a unit; m: mask of the recurrent product, 1 where there is none.
 *
 *     a = W x_t + b_ih + u (.) m (.) h_{t-1} + b_hh        h_t = f(a)
 *
 *     da = dh_t (.) f'(a)
 *     dx = W^T da   dh_{t-1} = m (.) u (.) da   dW += da x^T   du += da (.) m (.) h_{t-1}   db_ih += da   db_hh += da
 */
import type { IndrnnSpec } from '../../src/ops/recurrent/rnn.ts';
import { clamp, curvesOf, nearest } from './activation.ts';
import type { Cell, StepTape } from './cell.ts';
import { add, addTo, times, type Vec } from './math.ts';
import { productBackward, productForward, type ProductTape } from './norm.ts';

interface Tape extends StepTape {
  readonly fromInput: ProductTape;
  /** m (.) h_{t-1} */
  readonly seen: Vec;
  readonly mask: Vec | undefined;
  readonly a: Vec;
}

export function indrnnCell(spec: IndrnnSpec, reverse: boolean, limit: number): Cell<Tape> {
  const [f] = curvesOf(spec, reverse);
  return {
    hasRecurrence: true,
    gates: 1,
    peepholes: 0,
    hasCellState: false,
    seen: 'h',
    diagonal: true,

    forward(w, size, x, { h: previous, c }, mask) {
      const seen = times(previous, mask);
      const { y: a, tape: fromInput } = productForward(w.input, size, x);
      add(a, w.biasInput);
      add(a, times(seen, w.recurrent.matrix));
      add(a, w.biasRecurrent);
      const tape = { fromInput, seen, mask, a, kink: nearest(f!.kinks, a) };
      return { next: { h: a.map((value) => f!.value(value)), c }, tape };
    },

    backward(w, dw, { fromInput, seen, mask, a }, dnext) {
      const da = a.map((value, k) => clamp(dnext.h[k]! * f!.slope(value), limit));
      addTo(dw.biasInput, da);
      addTo(dw.biasRecurrent, da);
      add(dw.recurrent.matrix, times(da, seen));
      const dx = productBackward(w.input, dw.input, fromInput, da);
      return { dx, dprevious: { h: times(times(da, w.recurrent.matrix), mask), c: dnext.c } };
    },
  };
}
