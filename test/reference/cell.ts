import type { Vec } from './math.ts';

/** Parameters of one layer of one cell type, or their gradients. Rows of W and R: the gates in the order of the cell's file. */
export interface CellWeights {
  /** W [G*H, I] */
  readonly input: Vec;
  /** R [G*H, H] */
  readonly recurrent: Vec;
  /** b_ih [G*H] */
  readonly biasInput?: Vec;
  /** b_hh [G*H] */
  readonly biasRecurrent?: Vec;
  /** P, one row of H for each gate that has one */
  readonly peephole?: Vec;
}

/** State of one row of the batch, or the gradient with respect to it; each [H]. Cells without c leave it alone. */
export interface CellState {
  readonly h: Vec;
  readonly c: Vec;
}

/** One time step of one row of the batch, and its exact derivative. */
export interface Cell<Tape> {
  /** G: how many blocks of H rows W and R have. */
  readonly gates: number;
  /** Rows of P. */
  readonly peepholes: number;
  readonly hasCellState: boolean;
  forward(w: CellWeights, x: Vec, previous: CellState): { next: CellState; tape: Tape };
  /** Adds to the gradients `dw`; `dnext` is dL/d(h_t, c_t), all of it: from the output and from the steps after. */
  backward(
    w: CellWeights,
    dw: CellWeights,
    tape: Tape,
    dnext: CellState,
  ): { dx: Vec; dprevious: CellState };
}
