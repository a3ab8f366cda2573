import { CELL_GRU_AFTER, CELL_GRU_BEFORE, OPERAND_HIDDEN } from '../../../assembly/shared/codes.ts';
import type { GruSpec } from '../specs.ts';
import type { CellForm } from './form.ts';

export function gruForm(spec: GruSpec): CellForm {
  const after = spec.resetAfter !== false;
  return {
    code: after ? CELL_GRU_AFTER : CELL_GRU_BEFORE,
    operand: OPERAND_HIDDEN,
    gates: ['reset', 'update', 'new'],
    peepholes: [],
    unit: after ? 4 : 16,
    panelVectors: after ? 3 : 4,
    hasCellState: false,
    products: after ? 'gates' : 'state',
    biasApart: after,
  };
}
