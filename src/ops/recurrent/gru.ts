import {
  CELL_GRU_AFTER,
  CELL_GRU_BEFORE,
  OPERAND_HIDDEN,
  POLICY_CHOSEN,
  POLICY_USUAL,
} from '../../../assembly/shared/codes.ts';
import { GatefoldError } from '../../base/errors.ts';
import { flag } from '../options.ts';
import type { CellKind } from './form.ts';
import type { GruSpec } from './specs.ts';

const isAfter = (spec: object): boolean => (spec as GruSpec).resetAfter !== false;

export const gru: CellKind = {
  type: 'gru',
  offOptions: {
    layerNorm: flag('off', {
      about: 'Layer normalisation of both products (Haste); with reset after only.',
    }),
  },
  options: {
    resetAfter: flag(true, {
      about: 'Whether the reset gate acts after the recurrent product.',
      pytorch: 'always true',
      keras: 'reset_after',
      onnx: 'linear_before_reset',
    }),
  },
  usual: () => ['sigmoid', 'tanh'],
  policy: (_, __, isUsual) => (isUsual ? POLICY_USUAL : POLICY_CHOSEN),
  form(spec) {
    const after = isAfter(spec);
    return {
      code: after ? CELL_GRU_AFTER : CELL_GRU_BEFORE,
      operand: OPERAND_HIDDEN,
      gates: ['reset', 'update', 'new'],
      peepholes: [],
      unit: after ? 4 : 16,
      panelVectors: after ? 3 : 4,
      together: after ? 3 : 2,
      hasCellState: false,
      products: after ? 'gates' : 'state',
      biasApart: after,
    };
  },
  check(spec, at) {
    if (isAfter(spec) || !(spec as GruSpec).layerNorm) return;
    throw new GatefoldError('ERR_ARGUMENT', `"${at}.layerNorm" needs "resetAfter": true`);
  },
};
