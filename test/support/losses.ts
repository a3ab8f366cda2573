/** Every loss of rows: its options, its targets and its reference. A new one is one line here. */
import {
  LOSS_ABSOLUTE,
  LOSS_BINARY,
  LOSS_CLASSES,
  LOSS_HUBER,
  LOSS_SQUARED,
} from '../../assembly/shared/codes.ts';
import type { LossOptions } from '../../src/hosts/default.ts';
import {
  absolute,
  binary,
  crossEntropyOf,
  huberOf,
  squared,
  type RowLoss,
} from '../reference/loss.ts';
import type { Random } from './random.ts';

export interface RowLossCase {
  readonly options: LossOptions;
  /** What the kernels call it. */
  readonly kind: number;
  readonly reference: RowLoss;
  /** A target of a row; classes are one for each row, other targets one for each output. */
  readonly target: (random: Random, outputs: number) => number;
}

const classOf: RowLossCase['target'] = (random, outputs) => random.integer(0, outputs - 1);
const value: RowLossCase['target'] = (random) => random.around(4);
const chance: RowLossCase['target'] = (random) => random.unit();

/** By the name of the loss, with options drawn for models of `outputs` outputs. */
export const rowLosses: Readonly<
  Record<Exclude<LossOptions['type'], 'ctc'>, (random: Random, outputs: number) => RowLossCase>
> = {
  'cross-entropy': (random, outputs) => {
    const weights = Array.from({ length: outputs }, () => random.pick([0, 0.25, 1, 3]));
    const ignored = random.integer(0, outputs - 1);
    const own = {
      ...(random.unit() < 0.5 ? { classWeights: weights } : {}),
      ...(random.unit() < 0.5 ? { ignoreIndex: ignored } : {}),
    };
    const reference = crossEntropyOf(own.classWeights, own.ignoreIndex);
    const options = { type: 'cross-entropy', ...own } as const;
    return { options, kind: LOSS_CLASSES, reference, target: classOf };
  },
  mse: elementwise({ type: 'mse' }, LOSS_SQUARED, squared, value),
  mae: elementwise({ type: 'mae' }, LOSS_ABSOLUTE, absolute, value),
  huber: (random) => {
    const delta = random.pick([0.3, 1, 2.5]);
    const options = delta === 1 ? { type: 'huber' as const } : { type: 'huber' as const, delta };
    return { options, kind: LOSS_HUBER, reference: huberOf(delta), target: value };
  },
  bce: elementwise({ type: 'bce' }, LOSS_BINARY, binary, chance),
};

function elementwise(
  options: LossOptions,
  kind: number,
  reference: RowLoss,
  target: RowLossCase['target'],
): () => RowLossCase {
  return () => ({ options, kind, reference, target });
}

/** Elements of a row of targets. */
export function targetWidth({ kind }: RowLossCase, outputs: number): number {
  return kind === LOSS_CLASSES ? 1 : outputs;
}

/** All names, `ctc` included, which is no loss of rows. */
export const lossNames: readonly LossOptions['type'][] = [
  ...(Object.keys(rowLosses) as LossOptions['type'][]),
  'ctc',
];
