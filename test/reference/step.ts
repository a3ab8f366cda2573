/**
 * One time step of one row of the batch: the cell, and what all cells have around it. m_x: mask of
 * the input, z: zoneout (a mask whose ones keep the old h in training, the probability of one in
 * inference), k: clamp to [-projClip, projClip]. Each is nothing without its option.
 *
 *     q = W_hr cell(m_x (.) x, h_{t-1}, c_{t-1})
 *     h_t = z (.) h_{t-1} + (1 - z) (.) k(q)
 *
 *     dq = dh_t (.) (1 - z) (.) k'(q)    dW_hr += dq cell^T    dh of the cell = W_hr^T dq    dh_{t-1} += dh_t (.) z    dx = m_x (.) dx
 */
import { clamp, nearest } from './activation.ts';
import type { Cell, CellState, CellWeights, StepTape } from './cell.ts';
import { add, addOuter, addProduct, addTransposedProduct, times, type Vec } from './math.ts';

/** Of one row at one step; absent where nothing is masked. */
export interface StepMasks {
  /** [I] factors of x */
  readonly input?: Vec;
  /** [P] factors of h (or [H] of c) in the recurrent product */
  readonly recurrent?: Vec;
  /** [P] share of the old h in the new one */
  readonly zoneout?: Vec;
}

export interface WholeTape extends StepTape {
  readonly cell: StepTape;
  readonly masks: StepMasks;
  /** What the cell gave, before W_hr */
  readonly unprojected: Vec;
  /** What the clamp was given */
  readonly q: Vec;
}

/** A cell with its sizes and its clamp. */
export interface Unit {
  readonly cell: Cell;
  readonly hiddenSize: number;
  readonly outputSize: number;
  readonly projClip: number;
}

export function stepForward(
  { cell, hiddenSize, outputSize, projClip }: Unit,
  w: CellWeights,
  x: Vec,
  previous: CellState,
  masks: StepMasks,
): { next: CellState; tape: WholeTape } {
  const inner = cell.forward(w, hiddenSize, times(x, masks.input), previous, masks.recurrent);
  const { h: unprojected, c } = inner.next;
  let q = unprojected;
  if (w.projection) {
    q = new Float64Array(outputSize);
    addProduct(q, w.projection, unprojected);
  }
  const bounds = projClip === Infinity ? [] : [-projClip, projClip];
  const { zoneout } = masks;
  const h = new Float64Array(q.length);
  for (let k = 0; k < h.length; k++) {
    const z = zoneout?.[k] ?? 0;
    h[k] = z * previous.h[k]! + (1 - z) * clamp(q[k]!, projClip);
  }
  const kink = Math.min(inner.tape.kink, nearest(bounds, q));
  return {
    next: { h, c },
    tape: { cell: inner.tape, masks, unprojected, q, kink, spread: inner.tape.spread },
  };
}

/** As `Cell.backward`. */
export function stepBackward(
  { cell, projClip }: Unit,
  w: CellWeights,
  dw: CellWeights,
  tape: WholeTape,
  dnext: CellState,
): { dx: Vec; dprevious: CellState } {
  const { masks, unprojected, q } = tape;
  const dq = dnext.h.map((value, k) =>
    Math.abs(q[k]!) > projClip ? 0 : value * (1 - (masks.zoneout?.[k] ?? 0)),
  );
  let dh = dq;
  if (w.projection) {
    dh = new Float64Array(unprojected.length);
    addTransposedProduct(dh, w.projection, dq);
    addOuter(dw.projection!, dq, unprojected);
  }
  const { dx, dprevious } = cell.backward(w, dw, tape.cell, { h: dh, c: dnext.c });
  if (masks.zoneout) add(dprevious.h, times(dnext.h, masks.zoneout));
  return { dx: times(dx, masks.input), dprevious };
}
