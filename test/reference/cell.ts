import type { LayerSpec } from '../../src/ops/index.ts';
import { gruCell } from './gru.ts';
import { indrnnCell } from './indrnn.ts';
import { lstmCell } from './lstm.ts';
import { minGruCell } from './mingru.ts';
import type { Vec } from './math.ts';
import type { Factor } from './norm.ts';
import { rnnCell } from './rnn.ts';

export type RecurrentSpec = Extract<LayerSpec, { hiddenSize: number }>;

/**
 * Parameters of one direction of one sub-layer, or their gradients. Rows of W and R: the gates in
 * the order of the cell's file.
 */
export interface CellWeights {
  /** W [G*H, I], and [G*H] of its layer norm */
  readonly input: Factor;
  /**
   * R [G*H, P], for the form `cell` [G*H, H], for an IndRNN [H], for a minimal GRU empty, and [G*H]
   * of its layer norm
   */
  readonly recurrent: Factor;
  /** b_ih [G*H] */
  readonly biasInput?: Vec;
  /** b_hh [G*H] */
  readonly biasRecurrent?: Vec;
  /** P, one row of H for each gate that has one */
  readonly peephole?: Vec;
  /** gamma and beta of the layer norm of c [2, H] */
  readonly normCell?: Vec;
  /** W_hr [P, H] */
  readonly projection?: Vec;
}

/**
 * State of one row of the batch, or the gradient with respect to it: h [P], c [H] or empty for a
 * cell without. P is H without a projection.
 */
export interface CellState {
  readonly h: Vec;
  readonly c: Vec;
}

/** What every cell remembers of a step: how near it came to a place where a derivative jumps. */
export interface StepTape {
  readonly kink: number;
  /**
   * How far apart the numbers of a normalised c were, in units of the largest; absent where nothing
   * depends on it.
   */
  readonly spread?: number;
}

/**
 * One time step of one row of the batch, and its exact derivative, up to an h of H numbers. What
 * becomes of that (projection, zoneout) is the same for all cells: see step.ts.
 */
export interface Cell<Tape extends StepTape = StepTape> {
  /** G: how many blocks of H rows W and R have. */
  readonly gates: number;
  /** Whether there is an R, and a bias of its product. */
  readonly hasRecurrence: boolean;
  /** Rows of P. */
  readonly peepholes: number;
  readonly hasCellState: boolean;
  /** What R is multiplied with. */
  readonly seen: 'h' | 'c';
  /** Whether R is a vector. */
  readonly diagonal: boolean;
  /** @param mask factors of what R is multiplied with, in this product only */
  forward(
    w: CellWeights,
    size: number,
    x: Vec,
    previous: CellState,
    mask?: Vec,
  ): { next: CellState; tape: Tape };
  /**
   * Adds to the gradients `dw`; `dnext` is dL/d(h_t, c_t), all of it: from the output and from the
   * steps after.
   */
  backward(
    w: CellWeights,
    dw: CellWeights,
    tape: Tape,
    dnext: CellState,
  ): { dx: Vec; dprevious: CellState };
}

// The tape's type differs from cell to cell and is only ever handed back to the cell it came from.
/** @param limit of the gradient of every gate's sum: what is beyond goes on as the limit. */
export function cellOf(spec: RecurrentSpec, reverse: boolean, limit: number): Cell {
  if (spec.type === 'rnn') return rnnCell(spec, reverse, limit) as Cell;
  if (spec.type === 'indrnn') return indrnnCell(spec, reverse, limit) as Cell;
  if (spec.type === 'mingru') return minGruCell(spec, reverse, limit) as Cell;
  if (spec.type === 'gru') return gruCell(spec, reverse, limit) as Cell;
  return lstmCell(spec, reverse, limit) as Cell;
}
