import { checkChoice } from './check.ts';
import { GatefoldError } from './errors.ts';
import type { LossOptions } from './loss.ts';

/**
 * What a loss says in other words: the share of targets that are found (`accuracy`: the likeliest class; of `bce` the side of 1/2), e to the
 * mean cross-entropy, the same in bits, or the mean absolute error.
 */
export type Metric = 'accuracy' | 'perplexity' | 'bitsPerCharacter' | 'mae';

/** The mean loss of some data, and the metrics that were asked for. */
export type Measures = { readonly loss: number } & { readonly [name in Metric]?: number };

/** Sums over evaluated targets. */
export interface Tally {
  loss: number;
  /** What the mean loss is over. */
  weight: number;
  /** Targets found, or the sum of absolute errors. */
  score: number;
  /** Targets, or elements of them, that `score` is of. */
  scored: number;
}

function metricsOf(loss: LossOptions): readonly Metric[] {
  if (loss.type === 'ctc') return [];
  if (loss.type === 'bce') return ['accuracy'];
  if (loss.type !== 'cross-entropy') return ['mae'];
  // A weighted mean is the perplexity of nothing.
  return loss.classWeights ? ['accuracy'] : ['accuracy', 'perplexity', 'bitsPerCharacter'];
}

/** Refuses what a loss cannot give. */
export function checkMetrics(metrics: readonly Metric[], loss: LossOptions): void {
  const given = metricsOf(loss);
  if (metrics.length && !given.length) {
    const message = `"metrics" of the loss 'ctc' are none but the loss: decode with greedyCtc and compare with labelErrorRate`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const weighted = 'classWeights' in loss ? ' with class weights' : '';
  for (const metric of metrics) {
    checkChoice(`metrics" of the loss "${loss.type}${weighted}`, metric, given);
  }
}

/** The means of what was counted. */
export function measuresOf(tally: Tally, metrics: readonly Metric[]): Measures {
  if (!(tally.weight > 0)) {
    throw new GatefoldError('ERR_ARGUMENT', '"data" expected at least one target that counts');
  }
  const loss = tally.loss / tally.weight;
  const mean = tally.score / tally.scored;
  const values = {
    accuracy: mean,
    mae: mean,
    perplexity: Math.exp(loss),
    bitsPerCharacter: loss / Math.LN2,
  };
  return { loss, ...Object.fromEntries(metrics.map((metric) => [metric, values[metric]])) };
}
