import {
  ACTIVATION_RELU,
  ACTIVATION_TANH,
  CELL_INDEPENDENT,
  CELL_RNN,
  OPERAND_HIDDEN,
  POLICY_CHOSEN,
  POLICY_RELU,
  POLICY_USUAL,
} from '../../../assembly/shared/codes.ts';
import type { OptionTable } from '../options.ts';
import type { CellKind, PlainForm } from './form.ts';
import type { RecurrentLayerSpec, RnnSpec } from './specs.ts';

const nonlinearityOf = (spec: RecurrentLayerSpec): 'tanh' | 'relu' =>
  (spec as RnnSpec).nonlinearity ?? 'tanh';

const options: OptionTable = {
  nonlinearity: {
    kind: 'choice',
    choices: ['tanh', 'relu'],
    otherwise: 'tanh',
    about: 'The activation of the state; `activations` has others.',
    pytorch: 'nonlinearity',
    keras: 'activation',
  },
};

const form = (code: number): PlainForm => ({
  code,
  operand: OPERAND_HIDDEN,
  gates: ['hidden'],
  peepholes: [],
  unit: 16,
  panelVectors: 4,
  hasCellState: false,
  products: 'none',
  biasApart: false,
});

export const rnn: CellKind = {
  type: 'rnn',
  options,
  usual: (spec) => [nonlinearityOf(spec)],
  form: () => form(CELL_RNN),
  policy(_, { gate, zoneout }) {
    // It keeps no output of its own apart from the state that zoneout mixes.
    if (zoneout > 0) return POLICY_CHOSEN;
    if (gate.kind === ACTIVATION_RELU) return POLICY_RELU;
    return gate.kind === ACTIVATION_TANH ? POLICY_USUAL : POLICY_CHOSEN;
  },
};

export const indrnn: CellKind = {
  ...rnn,
  type: 'indrnn',
  form: () => ({ ...form(CELL_INDEPENDENT), recurrence: 'vector' }),
  policy: () => POLICY_CHOSEN,
};
