import { CELL_RNN_RELU, CELL_RNN_TANH, OPERAND_HIDDEN } from '../../../assembly/shared/codes.ts';
import type { IndrnnSpec, RnnSpec } from '../specs.ts';
import type { CellForm } from './form.ts';

export function rnnForm(spec: RnnSpec | IndrnnSpec): CellForm {
  return {
    code: spec.nonlinearity === 'relu' ? CELL_RNN_RELU : CELL_RNN_TANH,
    operand: OPERAND_HIDDEN,
    gates: ['hidden'],
    peepholes: [],
    unit: 16,
    panelVectors: 4,
    hasCellState: false,
    products: 'none',
    biasApart: false,
  };
}
