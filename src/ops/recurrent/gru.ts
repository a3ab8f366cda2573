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
import type { RecurrentSpec } from './specs.ts';

/** Gated recurrent unit, `torch.nn.GRU`; gates `reset, update, new`. */
export interface GruSpec extends RecurrentSpec {
  readonly type: 'gru';
  /**
   * Whether the reset gate acts after the recurrent product (PyTorch, Keras; the default) or before
   * it.
   */
  readonly resetAfter?: boolean;
  /**
   * LN(W x) + b_ih and LN(R h) + b_hh, with reset after only; `layer_norm_ih`, `layer_norm_hh` [G
   * H] (Haste).
   */
  readonly layerNorm?: boolean;
}

const isAfter = (spec: GruSpec): boolean => spec.resetAfter !== false;

export const gru: CellKind<GruSpec> = {
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
      unit: after ? 4 : 16,
      panelVectors: after ? 3 : 4,
      together: after ? 3 : 2,
      products: after ? 'gates' : 'state',
      biasApart: after,
    };
  },
  check(spec, at) {
    if (isAfter(spec) || !spec.layerNorm) return;
    throw new GatefoldError('ERR_ARGUMENT', `"${at}.layerNorm" needs "resetAfter": true`);
  },
};
