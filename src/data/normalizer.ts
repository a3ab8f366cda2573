import { checkInteger } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';

/**
 * Brings each feature to mean 0 and deviation 1, as it was in the data that the normalizer was
 * fitted to: the training part.
 */
export class Normalizer {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];

  /** `JSON.stringify` of a normalizer gives what this takes. */
  constructor(values: { readonly mean: readonly number[]; readonly deviation: readonly number[] }) {
    this.mean = [...values.mean];
    this.deviation = [...values.deviation];
  }

  /** @param rows [N, F]. A feature that never changes keeps its scale. */
  static fit(rows: Float32Array, features = 1): Normalizer {
    checkInteger('features', features, 1);
    const count = rows.length / features;
    if (!(count >= 1 && Number.isInteger(count))) {
      throw new GatefoldError(
        'ERR_SHAPE',
        `"rows" expected one or more rows of ${features} features, got length ${rows.length}`,
      );
    }
    const mean = new Float64Array(features);
    const variance = new Float64Array(features);
    rows.forEach((value, i) => (mean[i % features]! += value / count));
    rows.forEach((value, i) => {
      const difference = value - mean[i % features]!;
      variance[i % features]! += (difference * difference) / count;
    });
    const deviation = Array.from(variance, (square) => Math.sqrt(square) || 1);
    return new Normalizer({ mean: [...mean], deviation });
  }

  /** A normalized copy. */
  apply(rows: Float32Array): Float32Array {
    const { mean, deviation } = this;
    return rows.map((value, i) => (value - mean[i % mean.length]!) / deviation[i % mean.length]!);
  }

  /**
   * The copy that `apply` would have made this of. `columns` are the features that a row of it has;
   * default all.
   */
  undo(rows: Float32Array, columns?: readonly number[]): Float32Array {
    const { mean, deviation } = this;
    const own = columns ?? [...mean.keys()];
    return rows.map((value, i) => {
      const column = own[i % own.length]!;
      return value * deviation[column]! + mean[column]!;
    });
  }
}
