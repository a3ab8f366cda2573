import {
  CELL_MINGRU,
  OPERAND_HIDDEN,
  POLICY_CHOSEN,
  POLICY_USUAL,
} from '../../../assembly/shared/codes.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { CellKind } from './form.ts';

export const mingru: CellKind = {
  type: 'mingru',
  options: {},
  usual: () => ['sigmoid', 'identity'],
  policy: (_, __, isUsual) => (isUsual ? POLICY_USUAL : POLICY_CHOSEN),
  form: () => ({
    code: CELL_MINGRU,
    operand: OPERAND_HIDDEN,
    gates: ['update', 'new'],
    peepholes: [],
    unit: 8,
    panelVectors: 4,
    hasCellState: false,
    products: 'none',
    biasApart: false,
    recurrence: 'none',
  }),
  check({ recurrentDropout }, at) {
    if (!recurrentDropout) return;
    const message = `"${at}.recurrentDropout": mingru has no recurrent product; it takes "zoneout"`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  },
};
