import {
  CELL_MINGRU,
  OPERAND_HIDDEN,
  POLICY_CHOSEN,
  POLICY_USUAL,
} from '../../../assembly/shared/codes.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { CellKind } from './form.ts';
import type { RecurrentSpec } from './specs.ts';

/**
 * Minimal gated recurrent unit (Feng et al. 2024): z = s(W_z x + b_z), h = (1 - z) h' + z (W_n x +
 * b_n); gates `update, new`. No recurrent matrix, one bias; `recurrentDropout` is refused.
 */
export interface MinGruSpec extends RecurrentSpec {
  readonly type: 'mingru';
}

export const mingru: CellKind<MinGruSpec> = {
  type: 'mingru',
  options: {},
  usual: () => ['sigmoid', 'identity'],
  policy: (_, __, isUsual) => (isUsual ? POLICY_USUAL : POLICY_CHOSEN),
  form: () => ({
    code: CELL_MINGRU,
    operand: OPERAND_HIDDEN,
    gates: ['update', 'new'],
    unit: 8,
    panelVectors: 4,
    recurrence: 'none',
  }),
  check({ recurrentDropout }, at) {
    if (!recurrentDropout) return;
    const message = `"${at}.recurrentDropout": mingru has no recurrent product; it takes "zoneout"`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  },
};
