import { checkInteger } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';

/**
 * Which rows a pass over a batch has at which step. Where lengths differ, rows are sorted, longest
 * first, and only valid rows are there: see `Sequence` in assembly/base/structs.ts.
 */
export interface Extent {
  /** T: steps of the longest row, at least 1. */
  readonly steps: number;
  /** M: rows of all steps. */
  readonly rows: number;
  /** Behind a pool: how many of them, the first ones, are of a sequence that has a step. */
  readonly counted?: number;
  /** [T + 1]: the first row of every step. */
  readonly offsets: Int32Array;
  /** Valid steps of each row, sorted. */
  readonly lengths: Int32Array;
  /** The caller's row at each place; absent where the order is the same and no length differs. */
  readonly order: Int32Array | undefined;
  /** Of steps within a step: the rows that these are in. */
  readonly within?: Extent;
}

/** Where a pass over `extent` lies in a caller's array of `total` steps: from step `first` on. */
export interface Stretch {
  readonly first: number;
  readonly total: number;
  readonly batchFirst: boolean;
  readonly extent: Extent;
  /** Steps of the sequences of inputs before the last one, which are whole. */
  readonly others?: readonly number[];
}

/** All rows of the same length. */
export function uniformExtent(steps: number, batch: number): Extent {
  const offsets = Int32Array.from({ length: steps + 1 }, (_, t) => t * batch);
  const lengths = new Int32Array(batch).fill(steps);
  return { steps, rows: steps * batch, offsets, lengths, order: undefined };
}

/** Checked lengths, or `undefined` where all rows have T steps. */
export function checkLengths(
  lengths: ArrayLike<number> | undefined,
  batch: number,
  steps: number,
  name = 'lengths',
): Int32Array | undefined {
  if (lengths === undefined) return undefined;
  if (lengths === null || lengths.length !== batch) {
    const got = lengths === null ? 'null' : `length ${lengths.length}`;
    throw new GatefoldError(
      'ERR_SHAPE',
      `"${name}" expected ${batch} numbers, one a row, got ${got}`,
    );
  }
  const checked = Int32Array.from({ length: batch }, (_, row) =>
    checkInteger(`${name}[${row}]`, lengths[row], 0, steps),
  );
  return checked.every((length) => length === steps) ? undefined : checked;
}

/** The caller's row at each place: longest first, equal ones in their order. */
export function raggedOrder(lengths: Int32Array): Int32Array {
  const rows = Int32Array.from(lengths.keys());
  return rows.sort((a, b) => lengths[b]! - lengths[a]! || a - b);
}

/**
 * The part of steps `first` to `first + steps` of rows of the given lengths; `undefined` where it
 * has no row.
 */
export function raggedExtent(
  lengths: Int32Array,
  first: number,
  steps: number,
  order: Int32Array = raggedOrder(lengths),
): Extent | undefined {
  const part = order.map((row) => Math.min(Math.max(lengths[row]! - first, 0), steps));
  return part[0] ? { ...packed(part), order } : undefined;
}

/** Whether a sequence has no valid step in any row. */
export function isEmpty(lengths: readonly (Int32Array | undefined)[]): boolean {
  return lengths.some((own) => own?.every((length) => length === 0));
}

export function noRows(): GatefoldError {
  return new GatefoldError(
    'ERR_ARGUMENT',
    '"lengths" expected at least one row of length 1 or more',
  );
}

/** Rows of no length at all: one step without a row. */
export function emptyExtent(batch: number): Extent {
  const order = Int32Array.from({ length: batch }, (_, b) => b);
  return { ...packed(new Int32Array(batch)), order };
}

/** The same number of steps of every row: within a step, or of rows that stand for sequences. */
export function spreadExtent(rows: Extent, steps: number, isWithin: boolean): Extent {
  const all = uniformExtent(steps, rows.rows);
  return isWithin ? { ...all, within: rows } : { ...all, order: rows.order };
}

/**
 * What counts the rows of a pass whatever its cut and its lengths: step times batch plus the
 * caller's row; within a step those of the rows around, times the steps within, plus the step.
 */
export function rowCounter(extent: Extent, first: number): (place: number, step: number) => number {
  const { within, order, lengths, steps } = extent;
  if (!within) {
    return (place, step) => (first + step) * lengths.length + (order ? order[place]! : place);
  }
  const around = rowCounter(within, first);
  const numbers = new Float64Array(within.rows);
  for (let t = 0; t < within.steps; t++) {
    const start = within.offsets[t]!;
    for (let row = start; row < within.offsets[t + 1]!; row++)
      numbers[row] = around(row - start, t);
  }
  return (place, step) => numbers[place]! * steps + step;
}

/** The rows of outputs, where a row of n steps has `outputsOf(n)`, which grows with n. */
export function resampledExtent(
  { lengths, order, steps, within }: Extent,
  outputsOf: (steps: number) => number,
): Extent {
  if (within) return { ...uniformExtent(outputsOf(steps), lengths.length), within };
  if (!order) return uniformExtent(outputsOf(steps), lengths.length);
  const outputs = lengths.map((length) => outputsOf(length));
  return { ...packed(outputs), order };
}

/** Rows of these lengths, the longest first; one step without a row where all are 0. */
function packed(lengths: Int32Array): Omit<Extent, 'order'> {
  const longest = Math.max(lengths[0]!, 1);
  const offsets = new Int32Array(longest + 1);
  let active = lengths.length;
  for (let t = 0; t < longest; t++) {
    while (active > 0 && lengths[active - 1]! <= t) active--;
    offsets[t + 1] = offsets[t]! + active;
  }
  return { steps: longest, rows: offsets[longest]!, offsets, lengths };
}

/** One row for each row of the batch, in its order. */
export function pooledExtent({ lengths, order, offsets }: Extent): Extent {
  return { ...uniformExtent(1, lengths.length), order, counted: offsets[1]! };
}

/**
 * Finds the rows of the last `history` steps of each row, where those before its first step lie
 * before the rows of the extent: step `k` of them after `length` steps.
 */
export function rowOfState(
  history: number,
  batch: number,
): (extent: Extent, place: number, length: number, k: number) => number {
  return ({ offsets }, place, length, k) => {
    const step = length - history + k;
    if (step < 0) return (history + step) * batch + place;
    return history * batch + offsets[step]! + place;
  };
}

/**
 * The row that mirrors each row in its own valid prefix: step t of a row and step length - 1 - t.
 */
export function reversal({ rows, steps, offsets, lengths }: Extent): Int32Array {
  const mirror = new Int32Array(rows);
  for (let t = 0; t < steps; t++) {
    const first = offsets[t]!;
    for (let row = first; row < offsets[t + 1]!; row++) {
      const place = row - first;
      mirror[row] = offsets[lengths[place]! - 1 - t]! + place;
    }
  }
  return mirror;
}
