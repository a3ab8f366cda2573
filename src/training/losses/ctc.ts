import { isOf, lengthOf, owned } from '../../base/arrays.ts';
import {
  checkFlag,
  checkInteger,
  checkKeys,
  checkList,
  ownFloats,
  readOptions,
} from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { checkLengths } from '../../ops/pass.ts';
import type { Kernels } from '../../engine/kernels.ts';
import type { CtcOptions } from './loss.ts';
import type { Tally } from '../metrics.ts';
import { part } from '../../engine/plan.ts';
import type { Plan, Slot } from '../../engine/plan.ts';
import type { Workspace } from '../../graph/workspace.ts';

/** Labels of a batch, checked, where nobody can change them. */
export interface Labels {
  /** [B, U] */
  readonly labels: Int32Array;
  /** How many of each row count. */
  readonly lengths: readonly number[];
}

/** Most bytes that the alignments of a row take unless `maxLabels` says otherwise. */
const DEFAULT_BYTES = 16 * 2 ** 20;

/** The loss over whole sequences of `classes` outputs, with its memory in the engine. */
export class Ctc {
  /** What the passes at hand are added to. */
  tally: Tally | undefined;
  readonly #kernels: Kernels;
  readonly #blank: number;
  readonly #zeroInfinity: boolean;
  readonly #classes: number;
  readonly #batch: number;
  readonly #steps: number;
  readonly #maxLabels: number;
  /** [B, maxLabels] */
  readonly #labels: Slot;
  /** f64 of one row at a time. */
  readonly #alignments: Slot;

  constructor(
    plan: Plan,
    kernels: Kernels,
    options: CtcOptions,
    sizes: { readonly batch: number; readonly steps: number; readonly classes: number },
  ) {
    const { batch, steps, classes } = sizes;
    checkKeys('loss', options, ['type', 'blank', 'zeroInfinity', 'maxLabels']);
    this.#kernels = kernels;
    this.#classes = classes;
    this.#batch = batch;
    this.#steps = steps;
    this.#blank = checkInteger('loss.blank', options.blank ?? 0, 0, classes - 1);
    this.#zeroInfinity = checkFlag('loss.zeroInfinity', options.zeroInfinity);
    const { loss_ctc_scratch: scratch } = kernels.run;
    const perPlace = 8 * scratch(steps, 0);
    const most = Math.floor((DEFAULT_BYTES / perPlace - 1) / 2);
    const usual = Math.min(Math.max(most, 1), steps);
    this.#maxLabels = checkInteger('loss.maxLabels', options.maxLabels ?? usual, 1, steps);
    this.#labels = plan.reserve(batch * this.#maxLabels);
    this.#alignments = plan.reserve(2 * scratch(steps, this.#maxLabels));
  }

  /** Refuses labels of the wrong kind, length or value. */
  check(target: unknown, lengths: ArrayLike<number> | undefined): Labels {
    const batch = this.#batch;
    if (!lengths || lengths.length !== batch) {
      const got = lengths ? `length ${lengths.length}` : String(lengths);
      const message = `"targetLengths" expected ${batch} numbers, the labels of each row, got ${got}`;
      throw new GatefoldError(lengths ? 'ERR_SHAPE' : 'ERR_ARGUMENT', message);
    }
    const counts = Array.from({ length: batch }, (_, b) => lengths[b]!);
    if (!isOf('Int32Array', target) || lengthOf(target) % batch > 0) {
      const message = `"target" expected Int32Array [batch, most labels of a row] for a batch of ${batch}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    const labels = owned('Int32Array', target);
    const width = labels.length / batch;
    const all = this.#classes;
    for (const [b, count] of counts.entries()) {
      checkInteger(`targetLengths[${b}]`, count, 0, width);
      if (count > this.#maxLabels && count <= this.#steps) {
        const message = `"targetLengths[${b}]" is ${count}, but the trainer has memory for ${this.#maxLabels} labels of a row: create it with loss: { type: 'ctc', maxLabels: ${count} }`;
        throw new GatefoldError('ERR_ARGUMENT', message);
      }
      for (const label of labels.subarray(b * width, b * width + count)) {
        if (label >= 0 && label < all && label !== this.#blank) continue;
        const message = `"target" expected labels from 0 to ${all - 1} but ${this.#blank}, the blank, got ${label} in row ${b}`;
        throw new GatefoldError('ERR_ARGUMENT', message);
      }
    }
    return { labels, lengths: counts };
  }

  /** The loss of the last pass; its gradient is left as that of the outputs. */
  run(workspace: Workspace, { labels, lengths }: Labels): number {
    const kernels = this.#kernels;
    const { output, outputGradient, outputRow: row, offsets, extent } = workspace;
    if (output.address !== outputGradient.address) {
      kernels.copy(outputGradient, 0, output, 0, extent.rows * row);
    }
    const { order, lengths: steps } = extent;
    const rows = Array.from(steps, (count, place) => {
      const b = order ? order[place]! : place;
      return { place, b, steps: count, labels: lengths[b]! };
    });
    const width = labels.length / rows.length;
    const counted = rows.filter((r) => r.steps + r.labels > 0).length;
    let loss = 0;
    for (const { place, b, steps: count, labels: own } of rows) {
      const share = 1 / (counted * Math.max(1, own));
      let sum = own > 0 ? Infinity : 0;
      if (own > this.#maxLabels) {
        // More labels than steps: no alignment, and no gradient.
        for (let t = 0; t < count; t++) {
          kernels.zero(outputGradient, (extent.offsets[t]! + place) * row, row);
        }
      } else if (count > 0) {
        const slot = part(this.#labels, b * this.#maxLabels);
        kernels.integers(slot, 0, own).set(labels.subarray(b * width, b * width + own));
        const at = [outputGradient.address, row * 4, offsets.address, place, count] as const;
        const of = [slot.address, own, this.#blank, this.#alignments.address] as const;
        sum = kernels.run.loss_ctc(...at, this.#classes, ...of, share);
      }
      if (sum < Infinity || !this.#zeroInfinity) loss += share * sum;
    }
    if (this.tally) {
      this.tally.loss += loss * counted;
      this.tally.weight += counted;
    }
    return loss;
  }
}

/**
 * The labels of the likeliest class of every step, repetitions as one and without blanks: the best
 * path of CTC, one list a row.
 *
 * @param logits [T, B, O], with `batchFirst` [B, T, O].
 */
export function greedyCtc(
  logits: Float32Array,
  options: {
    readonly steps: number;
    readonly batch?: number;
    readonly lengths?: ArrayLike<number>;
    readonly batchFirst?: boolean;
    readonly blank?: number;
  },
): number[][] {
  const keys = ['steps', 'batch', 'lengths', 'batchFirst', 'blank'] as const;
  const rest = readOptions('options', options, keys);
  const batchFirst = checkFlag('batchFirst', rest.batchFirst);
  const steps = checkInteger('steps', rest.steps, 1);
  const batch = checkInteger('batch', rest.batch ?? 1, 1);
  const lengths = checkLengths(rest.lengths, batch, steps);
  const given = isOf('Float32Array', logits) ? lengthOf(logits) : 0;
  const classes = Math.max(1, Math.floor(given / (steps * batch)));
  const values = ownFloats('logits', logits, steps * batch * classes, 'steps x batch x classes');
  const blank = checkInteger('blank', rest.blank ?? 0, 0, classes - 1);
  return Array.from({ length: batch }, (_, b) => {
    const labels: number[] = [];
    let before = blank;
    for (let t = 0; t < (lengths ? lengths[b]! : steps); t++) {
      const from = (batchFirst ? b * steps + t : t * batch + b) * classes;
      let best = 0;
      for (let k = 1; k < classes; k++) if (values[from + k]! > values[from + best]!) best = k;
      if (best !== before && best !== blank) labels.push(best);
      before = best;
    }
    return labels;
  });
}

/**
 * Insertions, deletions and substitutions that turn `found` into `wanted`, by the labels of
 * `wanted`: 0 where all rows are right.
 */
export function labelErrorRate(
  found: readonly (readonly number[])[],
  wanted: readonly (readonly number[])[],
): number {
  let errors = 0;
  let labels = 0;
  checkList('found', found);
  for (const [row, target] of checkList('wanted', wanted).entries()) {
    checkList(`wanted[${row}]`, target);
    let costs = Array.from({ length: target.length + 1 }, (_, k) => k);
    const guess = found[row] === undefined ? [] : checkList(`found[${row}]`, found[row]);
    for (const [i, label] of guess.entries()) {
      const before = costs;
      costs = [i + 1];
      for (const [k, right] of target.entries()) {
        const replaced = before[k]! + Number(label !== right);
        costs.push(Math.min(replaced, before[k + 1]! + 1, costs[k]! + 1));
      }
    }
    errors += costs.at(-1)!;
    labels += target.length;
  }
  return errors / Math.max(1, labels);
}
