/**
 * Functions of one row of outputs. They are the one exception to the rule that arithmetic on arrays
 * belongs to the kernels: a row is short, and a call of the kernels would copy it in and out.
 */

import {
  anyFloats,
  checkInteger,
  checkNumber,
  readOptions,
  resultFloats,
  show,
} from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { expNegative } from '../base/exp.ts';

export interface SoftmaxOptions {
  /** Divides the logits, above 0; default 1. Below 1 the likely classes become likelier. */
  readonly temperature?: number;
  /** Takes the result, which is then a view of its front. May be longer, and may be `logits`. */
  readonly out?: Float32Array;
}

/** How `sampleToken` draws. */
export interface SampleOptions {
  /** Divides the logits; default 1. With 0 the likeliest class is taken. */
  readonly temperature?: number;
  /** Draws among that many of the likeliest classes; all by default. */
  readonly topK?: number;
  /** Gives the next number of [0, 1): `seededRandom(seed)`, or `Math.random`. */
  readonly random: () => number;
}

/** A class and its value. */
export interface RankedClass {
  /** The class: its place in the row. */
  readonly index: number;
  /** What the row has there. */
  readonly value: number;
}

/**
 * Softmax, `exp(logit / temperature) / sum`, in float64 and with the same bits in every host.
 *
 * @example
 *   const probabilities = softmax(logits, { temperature: 0.8 });
 *
 * @param logits [O]. A class of -Infinity is masked: its probability is 0.
 * @returns [O]
 * @throws `ERR_NON_FINITE` for NaN or Infinity; `ERR_ARGUMENT` where all classes are masked.
 */
export function softmax(logits: Float32Array, options: SoftmaxOptions = {}): Float32Array {
  const { temperature = 1, out } = readOptions('options', options, ['temperature', 'out']);
  if (checkNumber('temperature', temperature, 0, Number.MAX_VALUE) === 0) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      '"temperature" expected a number above 0, got 0: argmax() gives the likeliest class',
    );
  }
  const row = logitsOf(logits);
  const result = resultFloats(out, row.length, 'like logits', 'the softmax');
  const weights = weigh(row, temperature);
  const total = sumOf(weights);
  for (let i = 0; i < weights.length; i++) result[i] = weights[i]! / total;
  return result;
}

/**
 * The class of the largest value; of equal ones the first.
 *
 * @example
 *   const likeliest = argmax(logits);
 *
 * @param row [O]
 * @throws `ERR_NON_FINITE` for NaN.
 */
export function argmax(row: Float32Array): number {
  return largest(rowOf('row', row));
}

/**
 * The `k` largest values and their classes, the largest first; of equal ones the first class.
 *
 * @example
 *   for (const { index, value } of topK(softmax(logits), 5)) console.log(index, value);
 *
 * @param row [O]
 * @param k 1 to O.
 * @throws `ERR_NON_FINITE` for NaN.
 */
export function topK(row: Float32Array, k: number): RankedClass[] {
  const values = rowOf('row', row);
  return ranked(values, checkInteger('k', k, 1, values.length));
}

/**
 * Draws a class from softmax(logits / temperature). The same seed draws the same classes in every
 * host.
 *
 * @example
 *   const random = seededRandom(7);
 *   const token = sampleToken(logits, { temperature: 0.8, topK: 40, random });
 *
 * @param logits [O]. A class of -Infinity is masked: it is never drawn.
 * @throws `ERR_NON_FINITE` for NaN or Infinity; `ERR_ARGUMENT` where all classes are masked, or
 *   `random` gives a number outside of [0, 1).
 */
export function sampleToken(logits: Float32Array, options: SampleOptions): number {
  const keys = ['temperature', 'topK', 'random'] as const;
  const { temperature = 1, topK: count, random } = readOptions('options', options, keys);
  checkNumber('temperature', temperature, 0, Number.MAX_VALUE);
  if (typeof random !== 'function') {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"random" expected a function such as seededRandom(seed), got ${show(random)}`,
    );
  }
  const row = logitsOf(logits);
  if (count !== undefined) checkInteger('topK', count, 1, row.length);
  if (temperature === 0) return largest(row);
  const weights = weigh(count === undefined ? row : onlyTop(row, count), temperature);
  const uniform: unknown = random();
  if (typeof uniform !== 'number' || !(uniform >= 0 && uniform < 1)) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"random" expected to give numbers of [0, 1), got ${show(uniform)}`,
    );
  }
  // The sum grows as the total did, and the share is below that: some class exceeds it. None of
  // weight 0 does, because it adds nothing.
  const share = uniform * sumOf(weights);
  let sum = 0;
  return weights.findIndex((weight) => (sum += weight) > share);
}

/** `exp((logit - largest) / temperature)`: the largest weight is 1, whatever the logits are. */
function weigh(row: Float32Array, temperature: number): Float64Array {
  const most = row[largest(row)]!;
  return Float64Array.from(row, (logit) => expNegative((logit - most) / temperature));
}

/** One chain in the order of the classes. */
function sumOf(weights: Float64Array): number {
  return weights.reduce((sum, weight) => sum + weight, 0);
}

/** The logits with all but the largest `count` masked. */
function onlyTop(row: Float32Array, count: number): Float32Array {
  const top = new Float32Array(row.length).fill(-Infinity);
  for (const { index, value } of ranked(row, count)) top[index] = value;
  return top;
}

/** Of some numbers the first that is largest: its index among them. */
export function largest(row: Float32Array, from = 0, length: number = row.length): number {
  let best = 0;
  for (let i = 1; i < length; i++) if (row[from + i]! > row[from + best]!) best = i;
  return best;
}

/** Sorts values alone, which is fast, and then the classes that are at least the last of them. */
function ranked(row: Float32Array, count: number): RankedClass[] {
  const least = row.slice().sort()[row.length - count]!;
  const top: RankedClass[] = [];
  row.forEach((value, index) => {
    if (value >= least) top.push({ index, value });
  });
  // The difference of two infinities is NaN, which is no order either.
  return top.sort((a, b) => b.value - a.value || a.index - b.index).slice(0, count);
}

/** A row without NaN that nobody can change. */
function rowOf(name: string, values: Float32Array): Float32Array {
  const row = anyFloats(name, values, 1);
  const at = row.findIndex(Number.isNaN);
  if (at >= 0) throw notFinite(name, 'NaN', at);
  return row;
}

/** A row that has a softmax. */
function logitsOf(values: Float32Array): Float32Array {
  const row = rowOf('logits', values);
  const best = largest(row);
  if (row[best] === Infinity) throw notFinite('logits', 'Infinity', best);
  if (row[best] === -Infinity) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      '"logits" has no class to choose: all are -Infinity; leave one that is not masked',
    );
  }
  return row;
}

function notFinite(name: string, what: string, at: number): GatefoldError {
  return new GatefoldError(
    'ERR_NON_FINITE',
    `"${name}" has ${what} at index ${at}: check the inputs and parameters of the model (to mask a class, use -Infinity)`,
  );
}
