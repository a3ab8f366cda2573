/**
 * LSTM in all its forms. v is what the gates see of the past: h_{t-1}, or c_{t-1} for the peephole
 * form `cell`, times the mask m of the recurrent product where there is one. P_i, P_f, P_o are the
 * diagonal peepholes, zero without them. Rows: input, forget, cell, output. f, g and h are the
 * activations of the gates, of the candidate and of the cell state; k clamps to [-cellClip,
 * cellClip], N is the layer norm of c, and both are nothing without the option. W x and R v may be
 * layer-normalised too, each over all rows.
 *
 *     i = f(a_i)    a_i = W_i x + R_i v + b_i + P_i (.) c_{t-1}
 *     f = f(a_f)    a_f = W_f x + R_f v + b_f + P_f (.) c_{t-1}     coupled gates: f = 1 - i, and no forget rows anywhere
 *     g = g(a_g)    a_g = W_g x + R_g v + b_g
 *     c_t = k(s)    s = f (.) c_{t-1} + i (.) g
 *     o = f(a_o)    a_o = W_o x + R_o v + b_o + P_o (.) c_t         the output gate sees the new cell state (the old one only as v)
 *     h_t = o (.) h(N(c_t))
 *
 *     da_o = dh (.) h(N(c_t)) (.) f'(a_o)
 *     ds   = (dc + N^T(dh (.) o (.) h'(N(c_t))) + P_o (.) da_o) (.) k'(s)
 *     da_i = ds (.) g (.) f'(a_i)                         coupled: ds (.) (g - c_{t-1}) (.) f'(a_i)
 *     da_f = ds (.) c_{t-1} (.) f'(a_f)
 *     da_g = ds (.) i (.) g'(a_g)
 *     dc_{t-1} = ds (.) f + P_i (.) da_i + P_f (.) da_f
 *     m (.) R^T da is added to dh_{t-1} or, in the form `cell`, to dc_{t-1}
 *     dP_i += da_i (.) c_{t-1}    dP_f += da_f (.) c_{t-1}    dP_o += da_o (.) c_t
 */
import type { LstmSpec } from '../../src/ops/recurrent/lstm.ts';
import { clamp, curvesOf, nearest, type Curve } from './activation.ts';
import type { Cell, CellWeights, StepTape } from './cell.ts';
import { add, addTo, times, type Vec } from './math.ts';
import {
  normBackward,
  normForward,
  productBackward,
  productForward,
  type NormTape,
  type ProductTape,
} from './norm.ts';

interface Gates {
  /** Inputs of the activations, G*H, peepholes among them */
  readonly a: Vec;
  readonly i: Vec;
  readonly f: Vec;
  readonly g: Vec;
  readonly o: Vec;
  /** The new cell state before it is clipped, and after */
  readonly s: Vec;
  readonly c: Vec;
  /** N(c) */
  readonly normal: Vec;
}

interface Tape extends StepTape {
  readonly fromInput: ProductTape;
  readonly fromState: ProductTape;
  readonly mask: Vec | undefined;
  /** Numbers of h_{t-1} */
  readonly outputs: number;
  readonly previousC: Vec;
  readonly gates: Gates;
  readonly norm: NormTape | undefined;
}

/** Gamma and beta of the layer norm of c. */
const halves = (normCell: Vec): [Vec, Vec] => [
  normCell.subarray(0, normCell.length / 2),
  normCell.subarray(normCell.length / 2),
];

export function lstmCell(spec: LstmSpec, reverse: boolean, limit: number): Cell<Tape> {
  const { peephole, inputForget = false, cellClip = Infinity } = spec;
  const diagonal = peephole === 'diagonal';
  const [gate, candidate, readout] = curvesOf(spec, reverse) as [Curve, Curve, Curve];
  // Block numbers of the gates; the coupled form has no forget rows, so cell and output move up.
  const [I, F, G, O] = inputForget ? [0, -1, 1, 2] : [0, 1, 2, 3];
  const [PI, PF, PO] = inputForget ? [0, -1, 1] : [0, 1, 2];
  const gates = inputForget ? 3 : 4;
  const bounds = cellClip === Infinity ? [] : [-cellClip, cellClip];

  const kinkOf = (a: Vec, s: Vec, normal: Vec): number => {
    const size = s.length;
    const of = ({ kinks }: Curve, row: number): number =>
      nearest(kinks, a, row * size, (row + 1) * size);
    return Math.min(
      of(gate, I),
      inputForget ? Infinity : of(gate, F),
      of(gate, O),
      of(candidate, G),
      nearest(bounds, s),
      nearest(readout.kinks, normal),
    );
  };

  /** Gradients of the inputs of the activations, and of c_{t-1} but for what comes through R. */
  const gatesBackward = (
    w: CellWeights,
    dw: CellWeights,
    { previousC, norm, gates: { a, i, f, g, o, s, c, normal } }: Tape,
    dnext: { readonly h: Vec; readonly c: Vec },
  ): { da: Vec; dc: Vec } => {
    const size = c.length;
    const da = new Float64Array(gates * size);
    const dc = new Float64Array(size);
    const dnormal = normal.map((value, k) => dnext.h[k]! * o[k]! * readout.slope(value));
    const throughH = norm
      ? normBackward(norm, halves(w.normCell!)[0], ...halves(dw.normCell!), dnormal)
      : dnormal;
    for (let k = 0; k < size; k++) {
      const slope = (curve: Curve, row: number): number => curve.slope(a[row * size + k]!);
      const dao = clamp(dnext.h[k]! * readout.value(normal[k]!) * slope(gate, O), limit);
      let ds = dnext.c[k]! + throughH[k]!;
      if (diagonal) ds += w.peephole![PO * size + k]! * dao;
      if (Math.abs(s[k]!) > cellClip) ds = 0;
      const di = ds * (inputForget ? g[k]! - previousC[k]! : g[k]!);
      const dai = clamp(di * slope(gate, I), limit);
      const daf = inputForget ? 0 : clamp(ds * previousC[k]! * slope(gate, F), limit);
      da[I * size + k] = dai;
      if (!inputForget) da[F * size + k] = daf;
      da[G * size + k] = clamp(ds * i[k]! * slope(candidate, G), limit);
      da[O * size + k] = dao;
      dc[k] = ds * f[k]!;
      if (!diagonal) continue;
      dc[k]! += w.peephole![PI * size + k]! * dai;
      dw.peephole![PI * size + k]! += dai * previousC[k]!;
      dw.peephole![PO * size + k]! += dao * c[k]!;
      if (inputForget) continue;
      dc[k]! += w.peephole![PF * size + k]! * daf;
      dw.peephole![PF * size + k]! += daf * previousC[k]!;
    }
    return { da, dc };
  };

  return {
    gates,
    hasRecurrence: true,
    peepholes: diagonal ? gates - 1 : 0,
    hasCellState: true,
    seen: peephole === 'cell' ? 'c' : 'h',
    diagonal: false,

    forward(w, size, x, previous, mask) {
      const previousC = previous.c;
      const seen = times(peephole === 'cell' ? previousC : previous.h, mask);
      const fromInput = productForward(w.input, gates * size, x);
      const fromState = productForward(w.recurrent, gates * size, seen);
      const a = fromInput.y;
      add(a, fromState.y);
      add(a, w.biasInput);
      add(a, w.biasRecurrent);
      const vector = (): Vec => new Float64Array(size);
      const [i, f, g, o, s, c] = [vector(), vector(), vector(), vector(), vector(), vector()];
      for (let k = 0; k < size; k++) {
        const at = (row: number): number => row * size + k;
        const peep = (row: number, seenC: number): number =>
          diagonal ? w.peephole![at(row)]! * seenC : 0;
        a[at(I)]! += peep(PI, previousC[k]!);
        i[k] = gate.value(a[at(I)]!);
        if (!inputForget) a[at(F)]! += peep(PF, previousC[k]!);
        f[k] = inputForget ? 1 - i[k]! : gate.value(a[at(F)]!);
        g[k] = candidate.value(a[at(G)]!);
        s[k] = f[k]! * previousC[k]! + i[k]! * g[k]!;
        c[k] = clamp(s[k]!, cellClip);
        a[at(O)]! += peep(PO, c[k]!);
        o[k] = gate.value(a[at(O)]!);
      }
      const normed = w.normCell && normForward(c, ...halves(w.normCell));
      const normal = normed?.y ?? c;
      const h = normal.map((value, k) => o[k]! * readout.value(value));
      const tape = {
        fromInput: fromInput.tape,
        fromState: fromState.tape,
        mask,
        outputs: previous.h.length,
        previousC,
        gates: { a, i, f, g, o, s, c, normal },
        norm: normed?.tape,
        kink: kinkOf(a, s, normal),
        spread:
          normed && size > 1 ? normed.tape.deviation / Math.max(...c.map(Math.abs)) : Infinity,
      };
      return { next: { h, c }, tape };
    },

    backward(w, dw, tape, dnext) {
      const { da, dc } = gatesBackward(w, dw, tape, dnext);
      const dx = productBackward(w.input, dw.input, tape.fromInput, da);
      const dv = productBackward(w.recurrent, dw.recurrent, tape.fromState, da);
      const dseen = times(dv, tape.mask);
      addTo(dw.biasInput, da);
      addTo(dw.biasRecurrent, da);
      if (peephole !== 'cell') return { dx, dprevious: { h: dseen, c: dc } };
      add(dc, dseen);
      return { dx, dprevious: { h: new Float64Array(tape.outputs), c: dc } };
    },
  };
}
