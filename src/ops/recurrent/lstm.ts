import {
  CELL_LSTM,
  CELL_LSTM_COUPLED,
  OPERAND_CELL,
  OPERAND_HIDDEN,
  POLICY_CHOSEN,
  POLICY_USUAL,
} from '../../../assembly/shared/codes.ts';
import { checkInteger } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { flag } from '../options.ts';
import type { OptionBase, OptionSpec } from '../options.ts';
import type { CellKind } from './form.ts';
import type { RecurrentSpec } from './specs.ts';

/** Long short-term memory, `torch.nn.LSTM`; gates `input, forget, cell, output`. */
export interface LstmSpec extends RecurrentSpec {
  readonly type: 'lstm';
  /**
   * `diagonal`: the gates also see the cell state through a vector each (ONNX `P`, Gers et al.
   * 2002). `cell`: the cell state takes the place of the hidden state in every recurrent product.
   */
  readonly peephole?: 'diagonal' | 'cell';
  /**
   * Coupled gates, forget = 1 - input (ONNX `input_forget`); the gates are then `input, cell,
   * output`.
   */
  readonly inputForget?: boolean;
  /**
   * P below H: h = W_hr (o tanh(c)), `weight_hr` [P, H], and every h is P wide (PyTorch
   * `proj_size`).
   */
  readonly projSize?: number;
  /** Bound of a projected h, and of the cell state. */
  readonly projClip?: number;
  /** Bound of the cell state. */
  readonly cellClip?: number;
  /**
   * LN(W x) + LN(R h) + b, h = o tanh(LN(c)); `layer_norm_ih`, `layer_norm_hh` [G H],
   * `layer_norm_c` [2, H] (Haste).
   */
  readonly layerNorm?: boolean;
}

const bound = (names: OptionBase): OptionSpec => ({
  kind: 'number',
  low: 1e-30,
  otherwise: 'off',
  ...names,
});

export const lstm: CellKind<LstmSpec> = {
  type: 'lstm',
  offOptions: {
    projSize: {
      kind: 'own',
      expects: 'a whole number from 1 to H - 1',
      check: (name, value, spec) => checkInteger(name, value, 1, (spec as LstmSpec).hiddenSize - 1),
      otherwise: 'off',
      about: 'P below H: h = W_hr (o tanh(c)), `weight_hr` [P, H].',
      pytorch: 'proj_size',
    },
    projClip: bound({ about: 'Bound of a projected h.' }),
    cellClip: bound({ about: 'Bound of the cell state.' }),
    layerNorm: flag('off', {
      about: 'Layer normalisation of both products and of the cell state (Haste).',
    }),
  },
  options: {
    inputForget: flag(false, {
      about: 'Coupled gates, forget = 1 - input.',
      onnx: 'input_forget',
    }),
    peephole: {
      kind: 'choice',
      choices: ['diagonal', 'cell'],
      otherwise: 'off',
      about:
        '`diagonal`: the gates see the cell state through a vector each. `cell`: the cell state takes the place of the hidden state in every recurrent product.',
      onnx: 'P',
    },
  },
  usual: () => ['sigmoid', 'tanh', 'tanh'],
  policy: (_, { layerNorm }, isUsual) => (isUsual && !layerNorm ? POLICY_USUAL : POLICY_CHOSEN),
  form(spec) {
    const coupled = spec.inputForget === true;
    return {
      code: coupled ? CELL_LSTM_COUPLED : CELL_LSTM,
      operand: spec.peephole === 'cell' ? OPERAND_CELL : OPERAND_HIDDEN,
      gates: coupled ? ['input', 'cell', 'output'] : ['input', 'forget', 'cell', 'output'],
      // All but that of the candidate.
      ...(spec.peephole === 'diagonal' && { peepholes: coupled ? 2 : 3 }),
      unit: 4,
      panelVectors: coupled ? 3 : 4,
      hasCellState: true,
    };
  },
  check({ projClip, projSize }, at) {
    if (projClip === undefined || projSize !== undefined) return;
    throw new GatefoldError('ERR_ARGUMENT', `"${at}.projClip" needs "projSize"`);
  },
};
