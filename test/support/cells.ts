import type { RecurrentSpec } from '../reference/cell.ts';

/** Everything but the sizes that a recurrent layer can be told. */
export type CellForm =
  | { readonly type: 'rnn'; readonly nonlinearity: 'tanh' | 'relu' }
  | {
      readonly type: 'lstm';
      readonly peephole?: 'diagonal' | 'cell';
      readonly inputForget?: boolean;
    }
  | { readonly type: 'gru'; readonly resetAfter: boolean }
  | { readonly type: 'indrnn'; readonly nonlinearity: 'tanh' | 'relu' }
  | { readonly type: 'mingru' };

/** Every form of every cell: the one list that all suites of the arithmetic go through. */
export const cellForms: Readonly<Record<string, CellForm>> = {
  'rnn tanh': { type: 'rnn', nonlinearity: 'tanh' },
  'rnn relu': { type: 'rnn', nonlinearity: 'relu' },
  lstm: { type: 'lstm' },
  'lstm, diagonal peepholes': { type: 'lstm', peephole: 'diagonal' },
  'lstm, cell peepholes': { type: 'lstm', peephole: 'cell' },
  'lstm, coupled': { type: 'lstm', inputForget: true },
  'lstm, coupled, diagonal peepholes': {
    type: 'lstm',
    peephole: 'diagonal',
    inputForget: true,
  },
  'lstm, coupled, cell peepholes': {
    type: 'lstm',
    peephole: 'cell',
    inputForget: true,
  },
  'gru, reset after': { type: 'gru', resetAfter: true },
  'gru, reset before': { type: 'gru', resetAfter: false },
  'indrnn tanh': { type: 'indrnn', nonlinearity: 'tanh' },
  'indrnn relu': { type: 'indrnn', nonlinearity: 'relu' },
  mingru: { type: 'mingru' },
};

export interface LayerSizes {
  readonly inputSize?: number;
  readonly hiddenSize: number;
  readonly numLayers?: number;
  readonly bias?: boolean;
}

export function recurrentLayer(
  form: CellForm,
  sizes: LayerSizes,
  options: Partial<RecurrentSpec> = {},
): RecurrentSpec {
  return { ...form, ...sizes, ...options } as RecurrentSpec;
}
