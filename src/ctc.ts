import { checkChoice, checkFloats, checkInteger, checkKeys } from './check.ts';
import { GatefoldError } from './errors.ts';
import { checkLengths } from './extent.ts';
import { Plan, part } from './plan.ts';
import type { Kernels } from './kernels.ts';
import type { CtcOptions } from './loss.ts';
import type { Tally } from './metrics.ts';
import type { Workspace } from './workspace.ts';

/** Labels [B, U] of a batch, of which so many of each row count. */
export interface Labels {
  readonly labels: Int32Array;
  readonly lengths: readonly number[];
}

/** The loss over whole sequences of `classes` outputs. */
export class Ctc {
  /** What the passes at hand are added to. */
  tally: Tally | undefined;
  readonly #blank: number;
  readonly #zeroInfinity: boolean;
  readonly #classes: number;

  constructor(options: CtcOptions, classes: number) {
    checkKeys('loss', options, ['type', 'blank', 'zeroInfinity']);
    this.#classes = classes;
    this.#blank = checkInteger('loss.blank', options.blank ?? 0, 0, classes - 1);
    const given = String(options.zeroInfinity ?? false);
    this.#zeroInfinity = checkChoice('loss.zeroInfinity', given, ['true', 'false']) === 'true';
  }

  /** Refuses labels of the wrong kind, length or value. */
  check(target: unknown, lengths: ArrayLike<number> | undefined, batch: number): Labels {
    if (!lengths || lengths.length !== batch) {
      const got = lengths ? `length ${lengths.length}` : String(lengths);
      const message = `"targetLengths" expected ${batch} numbers, the labels of each row, got ${got}`;
      throw new GatefoldError(lengths ? 'ERR_SHAPE' : 'ERR_ARGUMENT', message);
    }
    if (!(target instanceof Int32Array) || target.length % batch > 0) {
      const message = `"target" expected Int32Array [batch, most labels of a row] for a batch of ${batch}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    const labels = target;
    const width = labels.length / batch;
    const all = this.#classes;
    const checked = Array.from({ length: batch }, (_, b) => {
      const count = checkInteger(`targetLengths[${b}]`, lengths[b], 0, width);
      for (const label of labels.subarray(b * width, b * width + count)) {
        if (label >= 0 && label < all && label !== this.#blank) continue;
        const message = `"target" expected labels from 0 to ${all - 1} but ${this.#blank}, the blank, got ${label} in row ${b}`;
        throw new GatefoldError('ERR_ARGUMENT', message);
      }
      return count;
    });
    return { labels, lengths: checked };
  }

  /** The loss of the last pass; its gradient is left as that of the outputs. */
  run(kernels: Kernels, workspace: Workspace, { labels, lengths }: Labels): number {
    const { output, outputGradient, outputRow: row, offsets, extent } = workspace;
    if (output.address !== outputGradient.address) {
      kernels.copy(outputGradient, 0, output, 0, extent.rows * row);
    }
    const { order, lengths: steps } = extent;
    const rows = Array.from(steps, (count, place) => {
      const b = order ? order[place]! : place;
      return { place, b, steps: count, labels: lengths[b]! };
    });
    const plan = new Plan();
    const needs = rows.map((r) => kernels.run.loss_ctc_scratch(r.steps, r.labels));
    const scratch = plan.reserve(2 * Math.max(...needs));
    const tokens = plan.reserve(labels.length);
    const block = kernels.arena.allocate(plan.bytes, 'the alignments of a CTC loss');
    plan.place(block);
    kernels.integers(tokens).set(labels);
    const width = labels.length / rows.length;
    const counted = rows.filter((r) => r.steps + r.labels > 0).length;
    let loss = 0;
    for (const { place, b, steps: count, labels: own } of rows) {
      const share = 1 / (counted * Math.max(1, own));
      const at = [outputGradient.address, row * 4, offsets.address, place, count] as const;
      const of = [part(tokens, b * width).address, own, this.#blank, scratch.address] as const;
      const endless = own > 0 ? Infinity : 0;
      const sum = count > 0 ? kernels.run.loss_ctc(...at, this.#classes, ...of, share) : endless;
      if (sum < Infinity || !this.#zeroInfinity) loss += share * sum;
    }
    kernels.arena.free(block);
    if (this.tally) {
      this.tally.loss += loss * counted;
      this.tally.weight += counted;
    }
    return loss;
  }
}

/**
 * The labels of the likeliest class of every step, repetitions as one and without blanks: the best path of CTC, one list a row.
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
  checkKeys('options', options, ['steps', 'batch', 'lengths', 'batchFirst', 'blank']);
  const steps = checkInteger('steps', options.steps, 1);
  const batch = checkInteger('batch', options.batch ?? 1, 1);
  const classes = Math.max(1, Math.floor((logits?.length ?? 0) / (steps * batch)));
  checkFloats('logits', logits, steps * batch * classes, 'steps x batch x classes');
  const lengths = checkLengths(options.lengths, batch, steps);
  const blank = checkInteger('blank', options.blank ?? 0, 0, classes - 1);
  return Array.from({ length: batch }, (_, b) => {
    const labels: number[] = [];
    let before = blank;
    for (let t = 0; t < (lengths ? lengths[b]! : steps); t++) {
      const from = (options.batchFirst ? b * steps + t : t * batch + b) * classes;
      let best = 0;
      for (let k = 1; k < classes; k++) if (logits[from + k]! > logits[from + best]!) best = k;
      if (best !== before && best !== blank) labels.push(best);
      before = best;
    }
    return labels;
  });
}

/** Insertions, deletions and substitutions that turn `found` into `wanted`, by the labels of `wanted`: 0 where all rows are right. */
export function labelErrorRate(
  found: readonly (readonly number[])[],
  wanted: readonly (readonly number[])[],
): number {
  let errors = 0;
  let labels = 0;
  for (const [row, target] of wanted.entries()) {
    let costs = Array.from({ length: target.length + 1 }, (_, k) => k);
    for (const [i, label] of (found[row] ?? []).entries()) {
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
