import type { GruSpec, LstmSpec, RnnSpec } from '../types.ts';
import { gruForm } from './gru.ts';
import { lstmForm } from './lstm.ts';
import { rnnForm } from './rnn.ts';

/** What a layer needs to know of its cell: shapes and names, no arithmetic. */
export interface CellForm {
  /** The kernels' number for it. */
  readonly code: number;
  /** Which state the recurrent product multiplies. */
  readonly operand: number;
  /** Gates in the order of the rows of the parameters, PyTorch's. */
  readonly gates: readonly string[];
  /** Gates that see the cell state through a vector of their own, in the order of the rows of `weight_peephole`. */
  readonly peepholes: readonly string[];
  /** Hidden units are padded to a multiple of this. */
  readonly unit: number;
  /** Vectors of a panel of gates. */
  readonly panelVectors: number;
  readonly hasCellState: boolean;
  /** Second buffer of every step: as wide as the gates, as the state, or none. */
  readonly products: 'gates' | 'state' | 'none';
}

export type RecurrentLayerSpec = RnnSpec | LstmSpec | GruSpec;

export function cellForm(spec: RecurrentLayerSpec): CellForm {
  if (spec.type === 'lstm') return lstmForm(spec);
  if (spec.type === 'gru') return gruForm(spec);
  return rnnForm(spec);
}
