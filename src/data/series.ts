import {
  checkChoice,
  checkFlag,
  checkFloats,
  checkInteger,
  checkKeys,
  checkList,
  toFloats,
} from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { ORDER, checkSeed, oncePerEpoch, shuffled } from './shuffle.ts';

/** How `SeriesWindows` cuts a series. */
export interface SeriesOptions {
  /** B */
  readonly batch: number;
  /** T: the length of a window. */
  readonly steps: number;
  /** F: numbers that the series has at every step; default 1. */
  readonly features?: number;
  /**
   * How many steps ahead the targets are; of several, the targets stand side by side. Default 1.
   */
  readonly horizon?: number | readonly number[];
  /** The features that are to be predicted; default all. */
  readonly targets?: readonly number[];
  /**
   * Whether only the last step of a window has targets, as a model that ends in a pool wants them;
   * default false.
   */
  readonly last?: boolean;
  /**
   * `contiguous` (default): B long pieces whose windows follow one another, so that the state is
   * carried on. `shuffled`: windows that start from zero states, in another order in every pass.
   */
  readonly order?: 'contiguous' | 'shuffled';
  /**
   * Steps from the start of a shuffled window to the next, at most `steps`, which is the default:
   * no two have a step in common.
   */
  readonly stride?: number;
  /** Of the order; default 0. */
  readonly seed?: number;
}

/** One batch of windows of a series. */
export interface SeriesWindow {
  /** [T, B, F] */
  readonly inputs: Float32Array;
  /**
   * [T, B, K O]: of each input, the O predicted features at the first of K horizons, then at the
   * next; with `last` [B, K O].
   */
  readonly targets: Float32Array;
  /** T */
  readonly steps: number;
  /** Of shuffled windows that are shorter, or of rows that have none (0). */
  readonly lengths?: Int32Array;
  /** Whether rows start from zero states rather than from those of the window before. */
  readonly fresh: boolean;
  /** Steps that have targets. */
  readonly count: number;
}

const KEYS = [
  'batch',
  'steps',
  'features',
  'horizon',
  'targets',
  'last',
  'order',
  'stride',
  'seed',
];

export function checkHorizons(horizon: SeriesOptions['horizon'] = 1): readonly number[] {
  const horizons = typeof horizon === 'number' ? [horizon] : checkList('horizon', horizon);
  checkInteger('horizon.length', horizons.length, 1);
  return horizons.map((ahead, i) => checkInteger(`horizon[${i}]`, ahead, 0));
}

/** A series as float32, whose rows have `features` features. */
export function checkSeries(given: ArrayLike<number>, features: number): Float32Array {
  const series = checkFloats('series', toFloats('series', given), 0, 'steps x features', true);
  const { length } = series;
  if (length % features === 0) return series;
  throw new GatefoldError(
    'ERR_SHAPE',
    `"series" expected a multiple of ${features} features, got length ${length}`,
  );
}

/**
 * A time series cut into windows: inputs, and what the series was some steps later. Every step
 * whose targets the series still holds is in one window (with a `stride` below `steps`, in
 * several); of contiguous windows, fewer than B steps at the end stay unused.
 *
 * @example
 *   // Pairs of windows of 50 steps, whose targets are one step later.
 *   const data = new SeriesWindows(series, { batch: 8, steps: 50 });
 *   // The third feature 24 steps ahead, once for each window.
 *   const ahead = new SeriesWindows(series, {
 *     batch: 8,
 *     steps: 50,
 *     features: 3,
 *     targets: [2],
 *     horizon: 24,
 *     last: true,
 *   });
 */
export class SeriesWindows {
  /** B */
  readonly batch: number;
  /** T */
  readonly steps: number;
  /** Windows in one pass. */
  readonly length: number;
  /** Numbers that a model predicts at a step: K O. */
  readonly targetSize: number;
  readonly #series: Float32Array;
  readonly #features: number;
  readonly #horizons: readonly number[];
  readonly #columns: readonly number[];
  readonly #last: boolean;
  readonly #fresh: boolean;
  readonly #pieceOf: (index: number, row: number, epoch?: number) => Piece;
  readonly #inputs: Float32Array;
  readonly #targets: Float32Array;

  /** @param given [N, F], the oldest step first. */
  constructor(given: ArrayLike<number>, options: SeriesOptions) {
    checkKeys('options', options, KEYS);
    const { features = 1, order = 'contiguous' } = options;
    this.batch = checkInteger('batch', options.batch, 1);
    this.steps = checkInteger('steps', options.steps, 1);
    this.#features = checkInteger('features', features, 1);
    this.#horizons = checkHorizons(options.horizon);
    this.#columns = checkColumns(options.targets, features);
    this.#last = checkFlag('last', options.last);
    this.#fresh = checkChoice('order', order, ['contiguous', 'shuffled']) === 'shuffled';
    const series = checkSeries(given, features);
    const usable = series.length / features - Math.max(...this.#horizons);
    const least = this.#fresh ? 1 : this.batch;
    if (!(usable >= least)) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"series" expected at least ${least} steps beyond the longest horizon, got ${usable}`,
      );
    }
    const cut = this.#fresh ? shuffledPieces : contiguousPieces;
    ({ windows: this.length, pieceOf: this.#pieceOf } = cut(usable, options));
    this.#series = series;
    this.targetSize = this.#horizons.length * this.#columns.length;
    this.#inputs = new Float32Array(this.steps * this.batch * features);
    this.#targets = new Float32Array((this.#last ? 1 : this.steps) * this.batch * this.targetSize);
  }

  /**
   * Batch `index`, of pass `epoch` when shuffled; without one, in the order of time. Its arrays are
   * overwritten by the next call.
   */
  window(index: number, epoch?: number): SeriesWindow {
    checkInteger('index', index, 0, this.length - 1);
    if (epoch !== undefined) checkInteger('epoch', epoch, 0);
    const { batch } = this;
    const pieces = Array.from({ length: batch }, (_, row) => this.#pieceOf(index, row, epoch));
    const lengths = Int32Array.from(pieces, ({ length }) => length);
    const steps = Math.max(...lengths);
    const inputs = this.#inputs.subarray(0, steps * batch * this.#features).fill(0);
    const rows = this.#last ? batch : steps * batch;
    const targets = this.#targets.subarray(0, rows * this.targetSize).fill(0);
    pieces.forEach((piece, row) => this.#fill(row, piece));
    const valid = lengths.reduce((sum, length) => sum + length, 0);
    const count = this.#last ? lengths.filter((length) => length > 0).length : valid;
    const ragged = valid < steps * batch ? { lengths } : {};
    return { inputs, targets, steps, ...ragged, fresh: this.#fresh, count };
  }

  #fill(row: number, { start, length }: Piece): void {
    const { batch, targetSize } = this;
    const features = this.#features;
    for (let t = 0; t < length; t++) {
      const from = (start + t) * features;
      const input = this.#series.subarray(from, from + features);
      this.#inputs.set(input, (t * batch + row) * features);
      if (this.#last && t < length - 1) continue;
      let at = ((this.#last ? 0 : t * batch) + row) * targetSize;
      for (const ahead of this.#horizons) {
        for (const column of this.#columns) {
          this.#targets[at++] = this.#series[from + ahead * features + column]!;
        }
      }
    }
  }
}

/** Steps of the series that make one row of a window; none where the length is 0. */
interface Piece {
  readonly start: number;
  readonly length: number;
}

interface Pieces {
  readonly windows: number;
  readonly pieceOf: (index: number, row: number, epoch?: number) => Piece;
}

/** Row by row, each a long piece of its own; the last windows may be shorter. */
function contiguousPieces(usable: number, { batch, steps }: SeriesOptions): Pieces {
  const rowLength = Math.floor(usable / batch);
  return {
    windows: Math.ceil(rowLength / steps),
    pieceOf: (index, row) => {
      const begun = index * steps;
      return { start: row * rowLength + begun, length: Math.min(steps, rowLength - begun) };
    },
  };
}

/** Any windows; the one that ends the series may be shorter, and the last batch may lack some. */
function shuffledPieces(usable: number, options: SeriesOptions): Pieces {
  const { batch, steps } = options;
  const stride = checkInteger('stride', options.stride ?? steps, 1, steps);
  const seed = checkSeed(options.seed);
  const count = Math.ceil(Math.max(usable - steps, 0) / stride) + 1;
  const orderOf = oncePerEpoch((epoch) =>
    epoch === undefined ? undefined : shuffled(count, seed, epoch, ORDER.items),
  );
  return {
    windows: Math.ceil(count / batch),
    pieceOf: (index, row, epoch) => {
      const place = index * batch + row;
      if (place >= count) return { start: 0, length: 0 };
      const start = (orderOf(epoch)?.[place] ?? place) * stride;
      return { start, length: Math.min(steps, usable - start) };
    },
  };
}

function checkColumns(columns: readonly number[] | undefined, features: number): number[] {
  if (!columns) return Array.from({ length: features }, (_, column) => column);
  return checkList('targets', columns).map((column, i) =>
    checkInteger(`targets[${i}]`, column, 0, features - 1),
  );
}
