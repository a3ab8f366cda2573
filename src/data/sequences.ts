import { isOf, kindOf } from '../base/arrays.ts';
import {
  anyTokens,
  checkChoice,
  checkFloats,
  checkInteger,
  checkKeys,
  checkList,
  checkObject,
  show,
  toFloats,
} from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { ORDER, checkSeed, oncePerEpoch, shuffled } from './shuffle.ts';

/** A sequence with what a model is to say of it. */
export interface LabelledSequence {
  /**
   * Features [T, F], or tokens [T]. Integer arrays and lists of whole numbers are tokens, other
   * numbers are features.
   */
  readonly input: ArrayLike<number>;
  /**
   * A class; labels in their order, as many as there are (CTC); or numbers. With `per: 'step'`
   * labels [T] or numbers [T, O].
   */
  readonly target: number | ArrayLike<number>;
}

/** The same with arrays that the batches are made of. */
interface OwnSequence {
  readonly input: Float32Array | Int32Array;
  readonly target: number | Int32Array | Float32Array;
}

/** How `SequenceBuckets` makes batches. */
export interface BucketOptions {
  /** B */
  readonly batch: number;
  /** F; default 1. */
  readonly features?: number;
  /** What has a target: each `sequence` as a whole (default), or each `step` of it. */
  readonly per?: 'sequence' | 'step';
  /**
   * Batches whose sequences are sorted by length together: more pad less, fewer mix better. Default
   * 16.
   */
  readonly pool?: number;
  /** Of the order; default 0. */
  readonly seed?: number;
}

/** One batch of sequences. */
export interface SequenceBatch {
  /** [T, B, F], or tokens [T, B]. */
  readonly inputs: Float32Array | Int32Array;
  /** Classes [B], labels [B, U], or numbers [B, O]; with `per: 'step'` [T, B] or [T, B, O]. */
  readonly targets: Float32Array | Int32Array;
  /** T: the longest of the batch. */
  readonly steps: number;
  /** Of every row; 0 where the batch has fewer than B sequences. */
  readonly lengths: Int32Array;
  /** How many labels each row has, where they are a sequence. */
  readonly targetLengths?: Int32Array;
  /** Rows start from zero states. */
  readonly fresh: true;
  /** Targets of the batch: sequences, or valid steps. */
  readonly count: number;
}

const KEYS = ['batch', 'features', 'per', 'pool', 'seed'];

/** How targets lie in a batch. */
interface TargetForm {
  readonly isFloat: boolean;
  readonly perStep: boolean;
  /** Numbers of each target; 0 where they are label sequences of their own length. */
  readonly width: number;
}

/**
 * Sequences of different lengths in batches of similar ones, so that little is padded. In every
 * pass each sequence comes once: all are shuffled, sorted by length within pools of some batches,
 * cut into batches, and the batches are shuffled. Without a pass (validation) they come sorted.
 *
 * @example
 *   const sequences = [
 *     { input: new Float32Array(2 * 30), target: 0 }, // [30, 2]
 *     { input: new Float32Array(2 * 41), target: 1 }, // [41, 2]
 *   ];
 *   const data = new SequenceBuckets(sequences, { batch: 2, features: 2 });
 */
export class SequenceBuckets {
  /** B */
  readonly batch: number;
  /** Of the longest sequence: what a trainer needs. */
  readonly steps: number;
  /** Batches in one pass. */
  readonly length: number;
  readonly #sequences: readonly OwnSequence[];
  readonly #lengths: Int32Array;
  readonly #features: number;
  readonly #form: TargetForm;
  readonly #inputs: Float32Array | Int32Array;
  readonly #batchesOf: (epoch?: number) => (readonly number[])[];

  constructor(sequences: readonly LabelledSequence[], options: BucketOptions) {
    checkKeys('options', options, KEYS);
    this.batch = checkInteger('batch', options.batch, 1);
    this.#features = checkInteger('features', options.features ?? 1, 1);
    const pool = checkInteger('pool', options.pool ?? 16, 1);
    const seed = checkSeed(options.seed);
    const perStep = checkChoice('per', options.per ?? 'sequence', ['sequence', 'step']) === 'step';
    checkInteger('sequences.length', checkList('sequences', sequences).length, 1);
    const own = ownSequences(sequences);
    this.#lengths = checkInputs(own, this.#features);
    this.#form = checkTargets(own, this.#lengths, perStep);
    this.#sequences = own;
    this.steps = this.#lengths.reduce((most, length) => Math.max(most, length), 0);
    this.length = Math.ceil(sequences.length / this.batch);
    this.#inputs = arrayOf(own[0]!.input, this.steps * this.batch * this.#features);
    this.#batchesOf = oncePerEpoch((epoch) =>
      bucket(this.#lengths, this.batch, pool, (count, purpose) =>
        epoch === undefined ? undefined : shuffled(count, seed, epoch, purpose),
      ),
    );
  }

  /**
   * Batch `index`, of pass `epoch`; without one, of the sequences sorted by length. Its arrays are
   * overwritten by the next call.
   */
  window(index: number, epoch?: number): SequenceBatch {
    checkInteger('index', index, 0, this.length - 1);
    if (epoch !== undefined) checkInteger('epoch', epoch, 0);
    const { batch } = this;
    const features = this.#features;
    const members = this.#batchesOf(epoch)[index]!;
    const lengths = new Int32Array(batch);
    members.forEach((member, row) => (lengths[row] = this.#lengths[member]!));
    const steps = Math.max(...lengths);
    const inputs = this.#inputs.subarray(0, steps * batch * features).fill(0);
    const sequences = members.map((member) => this.#sequences[member]!);
    sequences.forEach(({ input }, row) => spread(input, inputs, features, batch, row));
    const count = this.#form.perStep ? lengths.reduce((sum, n) => sum + n, 0) : members.length;
    return { inputs, ...this.#targets(sequences, steps), steps, lengths, fresh: true, count };
  }

  #targets(
    sequences: readonly OwnSequence[],
    steps: number,
  ): Pick<SequenceBatch, 'targets' | 'targetLengths'> {
    const { batch } = this;
    const { isFloat, perStep, width } = this.#form;
    const lists = sequences.map(({ target }) => (typeof target === 'number' ? [target] : target));
    const longest = lists.reduce((most, { length }) => Math.max(most, length), 1);
    const size = batch * (perStep ? steps * width : width || longest);
    const targets = isFloat ? new Float32Array(size) : new Int32Array(size);
    lists.forEach((list, row) => {
      if (perStep) spread(list, targets, width, batch, row);
      else targets.set(list, row * (width || longest));
    });
    if (width) return { targets };
    const targetLengths = new Int32Array(batch);
    lists.forEach(({ length }, row) => (targetLengths[row] = length));
    return { targets, targetLengths };
  }
}

/** The sequences of each batch. `draw` gives an order, or none. */
function bucket(
  lengths: Int32Array,
  batch: number,
  pool: number,
  draw: (count: number, purpose: number) => Int32Array | undefined,
): (readonly number[])[] {
  const count = lengths.length;
  const order = draw(count, ORDER.items);
  const members = [...(order ?? lengths.keys())];
  const poolSize = order ? batch * pool : count;
  const batches: number[][] = [];
  for (let first = 0; first < count; first += poolSize) {
    // Sorting is stable: among equal lengths the order is that of the shuffle.
    const part = members.slice(first, first + poolSize).sort((a, b) => lengths[a]! - lengths[b]!);
    for (let at = 0; at < part.length; at += batch) batches.push(part.slice(at, at + batch));
  }
  const places = draw(batches.length, ORDER.batches);
  return places ? Array.from(places, (place) => batches[place]!) : batches;
}

/** Puts the steps of a row, `width` numbers each, into a time-major batch. */
function spread(
  row: ArrayLike<number>,
  batched: Float32Array | Int32Array,
  width: number,
  batch: number,
  place: number,
): void {
  for (let i = 0, t = 0; i < row.length; t++) {
    const at = (t * batch + place) * width;
    for (let k = 0; k < width; k++) batched[at + k] = row[i++]!;
  }
}

function arrayOf(like: Float32Array | Int32Array, length: number): Float32Array | Int32Array {
  return isOf('Float32Array', like) ? new Float32Array(length) : new Int32Array(length);
}

/** The sequences with arrays of the two kinds that batches have. */
function ownSequences(sequences: readonly LabelledSequence[]): OwnSequence[] {
  const each = Array.from(sequences, (sequence, i) => {
    const { input, target } = checkObject(`sequences[${i}]`, sequence) as LabelledSequence;
    return { input, target };
  });
  const [wholeInputs, wholeTargets] = (['input', 'target'] as const).map((part) =>
    each.every((sequence) => isWhole(sequence[part])),
  );
  return each.map(({ input, target }, i) => ({
    input: ownList(`sequences[${i}].input`, input, wholeInputs!),
    target:
      typeof target === 'number'
        ? target
        : ownList(`sequences[${i}].target`, target, wholeTargets!),
  }));
}

/** Whether a list may be one of tokens or labels. */
function isWhole(list: unknown): boolean {
  const kind = kindOf(list);
  if (kind === undefined) return !Array.isArray(list) || list.every(Number.isSafeInteger);
  return !kind.startsWith('Float');
}

function ownList(name: string, list: unknown, whole: boolean): Float32Array | Int32Array {
  if (whole || isOf('Int32Array', list)) return anyTokens(name, list);
  return checkFloats(name, toFloats(name, list), 0, 'any length', true);
}

/** Lengths in steps of inputs that are all of one kind. */
function checkInputs(sequences: readonly OwnSequence[], features: number): Int32Array {
  const kind = kindOf(sequences[0]!.input);
  return Int32Array.from(sequences, ({ input }, i) => {
    const steps = input.length / features;
    if (kindOf(input) === kind && steps >= 1 && Number.isInteger(steps)) return steps;
    throw new GatefoldError(
      'ERR_SHAPE',
      `"sequences[${i}].input" expected ${kind} of one or more steps of ${features} features, ` +
        `got ${show(input)}`,
    );
  });
}

/** The form that all targets have. */
function checkTargets(
  sequences: readonly OwnSequence[],
  lengths: Int32Array,
  perStep: boolean,
): TargetForm {
  const { target: first } = sequences[0]!;
  const isFloat = isOf('Float32Array', first);
  const isClass = typeof first === 'number';
  const numbers = isClass ? 1 : first.length;
  const width = perStep ? numbers / lengths[0]! : isClass || isFloat ? numbers : 0;
  sequences.forEach(({ target }, i) => {
    const isAlike = isClass ? Number.isInteger(target) : kindOf(target) === kindOf(first);
    const length = isClass ? 1 : (target as Int32Array).length;
    const isFit = width === 0 || length === width * (perStep ? lengths[i]! : 1);
    if (isAlike && isFit && Number.isInteger(width)) return;
    throw new GatefoldError(
      'ERR_SHAPE',
      `"sequences[${i}].target" expected the kind and size of the first one's, got ${String(target).slice(0, 40)}`,
    );
  });
  return { isFloat, perStep, width };
}
