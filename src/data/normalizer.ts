import { anyFloats, checkInteger, checkKeys, checkList, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';

/**
 * Brings each feature to mean 0 and deviation 1, as it was in the data that the normalizer was
 * fitted to: the training part.
 *
 * @example
 *   const normalizer = Normalizer.fit(series, 3); // [N, 3]
 *   const rows = normalizer.apply(series);
 *   const values = normalizer.undo(rows);
 */
export class Normalizer {
  /** Mean of each feature, [F]. */
  readonly mean: readonly number[];
  /** Standard deviation of each feature, [F]. */
  readonly deviation: readonly number[];

  /** `JSON.stringify` of a normalizer gives what this takes. */
  constructor(values: { readonly mean: readonly number[]; readonly deviation: readonly number[] }) {
    checkKeys('values', values, ['mean', 'deviation']);
    this.mean = numbersOf('mean', values.mean, -Infinity);
    this.deviation = numbersOf('deviation', values.deviation, Number.MIN_VALUE);
    if (this.mean.length !== this.deviation.length) {
      throw new GatefoldError(
        'ERR_SHAPE',
        `"deviation" expected ${this.mean.length} numbers, as "mean" has, got ${this.deviation.length}`,
      );
    }
  }

  /**
   * Takes mean and deviation of each feature of what is learned from.
   *
   * @param rows [N, F], finite. A feature that never changes keeps its scale: what differs from it
   *   later does so by as much.
   */
  static fit(rows: ArrayLike<number>, features = 1): Normalizer {
    checkInteger('features', features, 1);
    const own = checkRows('rows', rows, features);
    const at = own.findIndex((value) => !Number.isFinite(value));
    if (at >= 0 || own.length === 0) {
      const got = at < 0 ? 'none' : `${own[at]} in row ${Math.floor(at / features)}`;
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"rows" expected one or more rows of finite numbers, got ${got}: leave such rows out`,
      );
    }
    const mean: number[] = [];
    const deviation: number[] = [];
    for (let k = 0; k < features; k++) {
      const [center, spread] = momentsOf(own, k, features);
      mean.push(center);
      deviation.push(spread);
    }
    return new Normalizer({ mean, deviation });
  }

  /** A normalized copy. */
  apply(rows: ArrayLike<number>): Float32Array {
    const { mean, deviation } = this;
    return checkRows('rows', rows, mean.length).map(
      (value, i) => (value - mean[i % mean.length]!) / deviation[i % mean.length]!,
    );
  }

  /**
   * The copy that `apply` would have made this of. `columns` are the features that a row of it has;
   * default all.
   */
  undo(rows: ArrayLike<number>, columns?: readonly number[]): Float32Array {
    const { mean, deviation } = this;
    const own = checkList('columns', columns ?? [...mean.keys()]);
    own.forEach((column, i) => checkInteger(`columns[${i}]`, column, 0, mean.length - 1));
    checkInteger('columns.length', own.length, 1);
    return checkRows('rows', rows, own.length).map((value, i) => {
      const column = own[i % own.length]!;
      return value * deviation[column]! + mean[column]!;
    });
  }
}

/** Numbers of a caller that make rows of so many features. */
function checkRows(name: string, rows: ArrayLike<number>, features: number): Float32Array {
  const own = anyFloats(name, rows);
  if (own.length % features === 0) return own;
  throw new GatefoldError(
    'ERR_SHAPE',
    `"${name}" expected rows of ${features} features, got length ${own.length}`,
  );
}

/** Mean and deviation of one feature; of one that never changes its value and 1. */
function momentsOf(rows: Float32Array, column: number, features: number): [number, number] {
  const count = rows.length / features;
  const first = rows[column]!;
  let sum = 0;
  let isSame = true;
  for (let i = column; i < rows.length; i += features) {
    sum += rows[i]!;
    isSame &&= rows[i] === first;
  }
  // The sum of equal numbers is rounded: their spread would be that of the rounding.
  if (isSame) return [first, 1];
  const mean = sum / count;
  let squares = 0;
  for (let i = column; i < rows.length; i += features) squares += (rows[i]! - mean) ** 2;
  return [mean, Math.sqrt(squares / count)];
}

function numbersOf(name: string, list: readonly number[], low: number): number[] {
  return Array.from(checkList(name, list), (value, i) => {
    if (Number.isFinite(value) && value >= low) return value;
    const want = low > -Infinity ? 'a number above 0' : 'a finite number';
    throw new GatefoldError('ERR_ARGUMENT', `"${name}[${i}]" expected ${want}, got ${show(value)}`);
  });
}
