import {
  LOSS_ABSOLUTE,
  LOSS_BINARY,
  LOSS_HUBER,
  LOSS_SQUARED,
} from '../../../assembly/shared/codes.ts';
import { checkKeys, checkNumber, ownFloats } from '../../base/check.ts';
import type { IsRead } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { LossKind } from './loss.ts';
import { RowLoss } from './row-loss.ts';

/**
 * Means over all elements: squared (`mse`) or absolute difference (`mae`), Huber's of both
 * (`huber`, `delta` 1), binary cross-entropy of targets in [0, 1] with logits (`bce`).
 */
export interface ElementLossOptions {
  readonly type: 'mse' | 'mae' | 'huber' | 'bce';
  /** Where Huber's loss becomes straight; default 1. */
  readonly delta?: number;
}

const CODES = {
  mse: LOSS_SQUARED,
  mae: LOSS_ABSOLUTE,
  huber: LOSS_HUBER,
  bce: LOSS_BINARY,
} as const;

/** Refuses numbers outside of 0 to 1, for which the loss has no lower bound. */
function checkShares(values: Float32Array, isRead: IsRead): void {
  const at = values.findIndex((value, i) => (value < 0 || value > 1) && isRead(i));
  if (at < 0) return;
  throw new GatefoldError(
    'ERR_ARGUMENT',
    `"target" expected numbers from 0 to 1 for the loss 'bce', got ${values[at]} at index ${at}`,
  );
}

export const elementwise: LossKind<ElementLossOptions> = {
  ofRows: true,
  metricsOf: ({ type }) => [type === 'bce' ? 'accuracy' : 'mae'],
  create(options, places) {
    checkKeys('loss', options, options.type === 'huber' ? ['type', 'delta'] : ['type']);
    const delta = checkNumber('loss.delta', options.delta ?? 1, 1e-30);
    const { width: outputs } = places.store.graph.outputs[places.output]!;
    return new RowLoss(places, {
      fields: { kind: CODES[options.type], delta },
      targetWidth: outputs,
      weights: new Float32Array(0),
      check: (target, { rows, isRead }) => {
        const length = rows * outputs;
        const values = ownFloats('target', target, length, 'shaped like the output');
        if (options.type === 'bce') checkShares(values, (i) => isRead(Math.floor(i / outputs)));
        return values;
      },
    });
  },
};
