import { LOSS_CLASSES } from '../../../assembly/shared/codes.ts';
import { checkInteger, checkKeys, checkNumber, ownTokens } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { LossKind } from './loss.ts';
import { RowLoss } from './row-loss.ts';

/** `torch.nn.CrossEntropyLoss` on logits, in nats. */
export interface CrossEntropyOptions {
  readonly type: 'cross-entropy';
  /**
   * A weight of at least 0 for each class; the mean is over the weights of the targets. Default 1.
   */
  readonly classWeights?: ArrayLike<number>;
  /** A target that counts for nothing, e.g. -100; default none. */
  readonly ignoreIndex?: number;
}

/** Most negative i32: a target that no data has. */
const NOTHING_IGNORED = -(2 ** 31);

export const crossEntropy: LossKind<CrossEntropyOptions> = {
  ofRows: true,
  // A weighted mean is the perplexity of nothing.
  metricsOf: ({ classWeights }) =>
    classWeights ? ['accuracy'] : ['accuracy', 'perplexity', 'bitsPerCharacter'],
  create(options, places) {
    checkKeys('loss', options, ['type', 'classWeights', 'ignoreIndex']);
    const { classWeights, ignoreIndex } = options;
    const { width: outputs } = places.store.graph.outputs[places.output]!;
    const ignored =
      ignoreIndex === undefined
        ? NOTHING_IGNORED
        : checkInteger('loss.ignoreIndex', ignoreIndex, 1 - 2 ** 31);
    if (classWeights !== undefined && classWeights?.length !== outputs) {
      throw new GatefoldError(
        'ERR_SHAPE',
        `"loss.classWeights" expected ${outputs} numbers, one a class, got length ${classWeights.length}`,
      );
    }
    const weights = Float32Array.from(classWeights ?? [], (weight, k) =>
      checkNumber(`loss.classWeights[${k}]`, weight, 0),
    );
    return new RowLoss(places, {
      fields: { kind: LOSS_CLASSES, ignored },
      targetWidth: 1,
      weights,
      check: (target, { rows, isRead }) =>
        ownTokens('target', target, rows, 'one a row of the output', outputs, ignoreIndex, isRead),
    });
  },
};
