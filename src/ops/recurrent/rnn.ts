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
import type { RecurrentSpec } from './specs.ts';

/** Elman network, `torch.nn.RNN`. */
export interface RnnSpec extends RecurrentSpec {
  readonly type: 'rnn';
  /** Default `tanh`. */
  readonly nonlinearity?: 'tanh' | 'relu';
}

/** Independent units (Li et al. 2018): h = a(W x + b + u h'), `weight_hh` is the vector u [H]. */
export interface IndrnnSpec extends RecurrentSpec {
  readonly type: 'indrnn';
  /** Default `tanh`. */
  readonly nonlinearity?: 'tanh' | 'relu';
}

type ElmanSpec = RnnSpec | IndrnnSpec;

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
  unit: 16,
  panelVectors: 4,
});

export const rnn: CellKind<ElmanSpec> = {
  type: 'rnn',
  options,
  usual: ({ nonlinearity = 'tanh' }) => [nonlinearity],
  form: () => form(CELL_RNN),
  policy(_, { gate, zoneout }) {
    // It keeps no output of its own apart from the state that zoneout mixes.
    if (zoneout > 0) return POLICY_CHOSEN;
    if (gate.kind === ACTIVATION_RELU) return POLICY_RELU;
    return gate.kind === ACTIVATION_TANH ? POLICY_USUAL : POLICY_CHOSEN;
  },
};

export const indrnn: CellKind<ElmanSpec> = {
  ...rnn,
  type: 'indrnn',
  form: () => ({ ...form(CELL_INDEPENDENT), recurrence: 'vector' }),
  policy: () => POLICY_CHOSEN,
};
