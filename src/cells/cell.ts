import { CELL_GRU_AFTER, CELL_GRU_BEFORE, CELL_OPTIONS } from '../../assembly/shared/codes.ts';
import type { GruSpec, IndrnnSpec, LstmSpec, RnnSpec } from '../types.ts';
import { gruForm } from './gru.ts';
import { lstmForm } from './lstm.ts';
import { optionsOf } from './options.ts';
import type { CellOptions } from './options.ts';
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
  /** Whether the recurrent bias stays apart from the other one. */
  readonly biasApart: boolean;
  readonly options?: CellOptions;
}

export type RecurrentLayerSpec = RnnSpec | IndrnnSpec | LstmSpec | GruSpec;

/** Of one direction of a layer. */
export function cellForm(spec: RecurrentLayerSpec, reverse: boolean): CellForm {
  const form = plainForm(spec);
  const options = optionsOf(spec, reverse);
  if (!options) return form;
  const { kind, layerNorm } = options;
  const isAfter = kind === CELL_GRU_AFTER;
  const narrow = kind === CELL_GRU_BEFORE ? 'state' : 'none';
  return {
    ...form,
    code: CELL_OPTIONS,
    unit: 16,
    panelVectors: 4,
    products: isAfter || layerNorm ? 'gates' : narrow,
    biasApart: isAfter,
    options,
  };
}

function plainForm(spec: RecurrentLayerSpec): CellForm {
  if (spec.type === 'lstm') return lstmForm(spec);
  return spec.type === 'gru' ? gruForm(spec) : rnnForm(spec);
}
