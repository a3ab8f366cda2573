import {
  CELL_INDEPENDENT,
  CELL_RNN_RELU,
  CELL_RNN_TANH,
  OPERAND_HIDDEN,
} from '../../../assembly/shared/codes.ts';
import type { OptionTable } from '../options.ts';
import type { CellForm, CellKind } from './form.ts';
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

const form = (spec: RecurrentLayerSpec): CellForm => ({
  code: nonlinearityOf(spec) === 'relu' ? CELL_RNN_RELU : CELL_RNN_TANH,
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
  kernel: () => CELL_RNN_TANH,
  form,
};

export const indrnn: CellKind = {
  ...rnn,
  type: 'indrnn',
  kernel: () => CELL_INDEPENDENT,
  isOptional: true,
};
