import { GatefoldError } from '../base/errors.ts';

/**
 * What a loss says in other words: the share of targets that are found (`accuracy`: the likeliest
 * class; of `bce` the side of 1/2), e to the mean cross-entropy, the same in bits, or the mean
 * absolute error.
 */
export type Metric = 'accuracy' | 'perplexity' | 'bitsPerCharacter' | 'mae';

/**
 * The mean loss of some data, and the metrics that were asked for: by the list of their names, or
 * each perhaps where only its kind is known.
 */
export type Measures<Asked extends readonly Metric[] = readonly Metric[]> = {
  /** Mean loss over all targets. */
  readonly loss: number;
} & (number extends Asked['length']
  ? { readonly [name in Asked[number]]?: number }
  : { readonly [name in Asked[number]]: number });

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

export function newTally(): Tally {
  return { loss: 0, weight: 0, score: 0, scored: 0 };
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
