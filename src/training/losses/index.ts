import { checkChoice, show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { crossEntropy } from './cross-entropy.ts';
import type { CrossEntropyOptions } from './cross-entropy.ts';
import { ctc } from './ctc.ts';
import type { CtcOptions } from './ctc.ts';
import { elementwise } from './elementwise.ts';
import type { ElementLossOptions } from './elementwise.ts';
import type { Loss, LossKind, LossPlaces } from './loss.ts';
import type { Metric } from '../metrics.ts';

export type { CrossEntropyOptions } from './cross-entropy.ts';
export type { CtcOptions } from './ctc.ts';
export type { ElementLossOptions } from './elementwise.ts';

/** Losses of single rows of the output. */
export type RowLossOptions = CrossEntropyOptions | ElementLossOptions;
/** A loss with its options. */
export type LossOptions = RowLossOptions | CtcOptions;
/** A loss by its name, or with its options. */
export type LossChoice = LossOptions['type'] | LossOptions;

/** All losses by name: no other file lists them, or asks for one by its name. */
const KINDS: { readonly [T in LossOptions['type']]: LossKind<LossOptions> } = {
  'cross-entropy': crossEntropy,
  mse: elementwise,
  mae: elementwise,
  huber: elementwise,
  bce: elementwise,
  ctc,
};

/** The choice with its options, of a known type. */
export function lossOptions(choice: LossChoice): LossOptions {
  const options = typeof choice === 'string' ? ({ type: choice } as LossOptions) : choice;
  // Not a constant of the module: bundlers drop no calls.
  const types = Object.keys(KINDS) as LossOptions['type'][];
  checkChoice('loss', (options as LossOptions | null)?.type, types);
  return options;
}

/** Refuses what needs a loss of single rows, with the reason that `why` gives. */
export function requireRowLoss(
  options: LossOptions,
  code: 'ERR_ARGUMENT' | 'ERR_UNSUPPORTED',
  why: (type: string) => string,
): void {
  if (!KINDS[options.type].ofRows) throw new GatefoldError(code, why(options.type));
}

/** A loss with its memory in a plan, checked against the model. */
export function createLoss(options: LossOptions, places: LossPlaces): Loss {
  if (places.store.graph.outputs[places.output]!.pools) {
    requireRowLoss(
      options,
      'ERR_ARGUMENT',
      (type) => `the loss '${type}' takes an output of every step: leave the "pool" layer out`,
    );
  }
  return KINDS[options.type].create(options, places);
}

/** Whether a loss gives some metrics; an error that says why not where they are needed. */
export function gives(options: LossOptions, metrics: readonly Metric[], isNeeded = false): boolean {
  const { type } = options;
  const { withoutMetrics, metricsOf } = KINDS[type];
  const given = metricsOf(options);
  if (!isNeeded) return metrics.every((metric) => given.includes(metric));
  if (metrics.length && withoutMetrics) {
    const message = `the loss '${type}' has no "metrics": ${withoutMetrics}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const isWeighted = 'classWeights' in options && options.classWeights !== undefined;
  const weighted = isWeighted && metrics.find((metric) => metric !== 'accuracy');
  if (weighted) {
    const message = `"metrics" of the loss '${type}' with "classWeights" expected 'accuracy', got ${show(weighted)}: a weighted mean is the perplexity of nothing`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  for (const metric of metrics) checkChoice(`metrics" of the loss "${type}`, metric, given);
  return true;
}
