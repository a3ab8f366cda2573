import {
  CELL_LSTM,
  CELL_LSTM_COUPLED,
  CELL_LSTM_COUPLED_DIAGONAL,
  CELL_LSTM_DIAGONAL,
  OPERAND_CELL,
  OPERAND_HIDDEN,
} from '../../../assembly/shared/codes.ts';
import type { LstmSpec } from '../specs.ts';
import type { CellForm } from './form.ts';

export function lstmForm(spec: LstmSpec): CellForm {
  const coupled = spec.inputForget === true;
  const diagonal = spec.peephole === 'diagonal';
  const plain = diagonal ? CELL_LSTM_DIAGONAL : CELL_LSTM;
  const single = diagonal ? CELL_LSTM_COUPLED_DIAGONAL : CELL_LSTM_COUPLED;
  const seeing = coupled ? ['input', 'output'] : ['input', 'forget', 'output'];
  return {
    code: coupled ? single : plain,
    operand: spec.peephole === 'cell' ? OPERAND_CELL : OPERAND_HIDDEN,
    gates: coupled ? ['input', 'cell', 'output'] : ['input', 'forget', 'cell', 'output'],
    peepholes: diagonal ? seeing : [],
    unit: 4,
    panelVectors: coupled ? 3 : 4,
    hasCellState: true,
    products: 'none',
    biasApart: false,
  };
}
