import { anyFloats, checkInteger, checkKeys, checkList, show } from '../base/check.ts';
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
    checkKeys('values', values, ['mean', 'deviation']);
    this.mean = numbersOf('mean', values.mean);
    this.deviation = numbersOf('deviation', values.deviation);
    if (this.mean.length !== this.deviation.length) {
      throw new GatefoldError(
        'ERR_SHAPE',
        `"deviation" expected ${this.mean.length} numbers, as "mean" has, got ${this.deviation.length}`,
      );
    }
  }

  /** @param rows [N, F]. A feature that never changes keeps its scale. */
  static fit(rows: Float32Array, features = 1): Normalizer {
    checkInteger('features', features, 1);
    anyFloats('rows', rows);
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
    anyFloats('rows', rows);
    return rows.map((value, i) => (value - mean[i % mean.length]!) / deviation[i % mean.length]!);
  }

  /**
   * The copy that `apply` would have made this of. `columns` are the features that a row of it has;
   * default all.
   */
  undo(rows: Float32Array, columns?: readonly number[]): Float32Array {
    const { mean, deviation } = this;
    anyFloats('rows', rows);
    const own = checkList('columns', columns ?? [...mean.keys()]);
    own.forEach((column, i) => checkInteger(`columns[${i}]`, column, 0, mean.length - 1));
    return rows.map((value, i) => {
      const column = own[i % own.length]!;
      return value * deviation[column]! + mean[column]!;
    });
  }
}

function numbersOf(name: string, list: readonly number[]): number[] {
  return [...checkList(name, list)].map((value, i) => {
    if (typeof value === 'number') return value;
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${name}[${i}]" expected a number, got ${show(value)}`,
    );
  });
}
