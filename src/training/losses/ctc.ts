import { owned } from '../../base/arrays.ts';
import { anyTokens, checkFlag, checkInteger, checkKeys } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { Kernels } from '../../engine/kernels.ts';
import type { Descriptor, Slot } from '../../engine/plan.ts';
import type { Workspace } from '../../graph/workspace.ts';
import type { Stretch } from '../../ops/pass.ts';
import type { Tally } from '../metrics.ts';
import type { Loss, LossKind, LossPlaces, Targets, Wanted } from './loss.ts';

/**
 * Connectionist temporal classification of logits [T, B, O], as `torch.nn.CTCLoss` with the
 * reduction `mean`: each row's loss by the number of its labels (at least 1), and the mean over the
 * rows that have steps or labels.
 */
export interface CtcOptions {
  readonly type: 'ctc';
  /** The class that says nothing; default 0. */
  readonly blank?: number;
  /**
   * Whether a row whose labels do not fit into its steps counts as 0 rather than as infinity;
   * default false.
   */
  readonly zeroInfinity?: boolean;
  /**
   * Most labels of a row whose labels fit into its steps; the trainer takes memory for their
   * alignments, 16 (steps + 1) (2 maxLabels + 1) bytes. Default: as many as fit into 16 MiB, at
   * most one a step.
   */
  readonly maxLabels?: number;
}

/** Labels of a batch. */
interface Labels extends Targets {
  /** [B, U] */
  readonly values: Int32Array;
  readonly lengths: readonly number[];
}

const SHAPE = '[batch, most labels of a row]';

/** Most bytes that the alignments of a row take unless `maxLabels` says otherwise. */
const DEFAULT_BYTES = 16 * 2 ** 20;

/** The loss over whole sequences of outputs. The kernel goes over one sequence at a time. */
class Ctc implements Loss {
  tally: Tally | undefined;
  weight = 0;
  infiniteRows = 0;
  readonly #kernels: Kernels;
  /** Number of the output. */
  readonly #output: number;
  readonly #blank: number;
  readonly #zeroInfinity: boolean;
  readonly #classes: number;
  readonly #batch: number;
  readonly #steps: number;
  readonly #maxLabels: number;
  /** Of one row. */
  readonly #labels: Slot;
  /** f64 of one row. */
  readonly #alignments: Slot;
  readonly #descriptor: Descriptor<'Ctc'>;

  constructor(options: CtcOptions, { plan, store, batch, steps, output }: LossPlaces) {
    checkKeys('loss', options, ['type', 'blank', 'zeroInfinity', 'maxLabels']);
    const { width: classes } = store.graph.outputs[output]!;
    this.#kernels = store.kernels;
    this.#output = output;
    this.#classes = classes;
    this.#batch = batch;
    this.#steps = steps;
    this.#blank = checkInteger('loss.blank', options.blank ?? 0, 0, classes - 1);
    this.#zeroInfinity = checkFlag('loss.zeroInfinity', options.zeroInfinity);
    const { loss_ctc_scratch: scratch } = store.kernels.run;
    const perPlace = 8 * scratch(steps, 0);
    const most = Math.floor((DEFAULT_BYTES / perPlace - 1) / 2);
    const usual = Math.min(Math.max(most, 1), steps);
    this.#maxLabels = checkInteger('loss.maxLabels', options.maxLabels ?? usual, 1, steps);
    this.#labels = plan.reserve(this.#maxLabels);
    this.#alignments = plan.reserve(2 * scratch(steps, this.#maxLabels));
    this.#descriptor = plan.descriptor('Ctc');
  }

  begin(): void {
    this.#kernels.write(this.#descriptor, {
      width: this.#classes,
      blank: this.#blank,
      labels: this.#labels,
      scratch: this.#alignments,
    });
  }

  check(target: unknown, { labels: lengths }: Wanted): Labels {
    const batch = this.#batch;
    if (!lengths || lengths.length !== batch) {
      const got = lengths ? `length ${lengths.length}` : String(lengths);
      const message = `"targetLengths" expected ${batch} numbers, the labels of each row, got ${got}`;
      throw new GatefoldError(lengths ? 'ERR_SHAPE' : 'ERR_ARGUMENT', message);
    }
    const counts = Array.from({ length: batch }, (_, b) => lengths[b]!);
    const labels = owned('Int32Array', anyTokens('target', target, SHAPE));
    if (labels.length % batch > 0) {
      const message = `"target" expected Int32Array ${SHAPE} for a batch of ${batch}, got length ${labels.length}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
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
    return { values: labels, lengths: counts };
  }

  mean(
    workspace: Workspace,
    { values: labels, lengths }: Labels,
    _stretch: Stretch,
    _replayed?: number,
    factor = 1,
  ): number {
    const kernels = this.#kernels;
    const descriptor = this.#descriptor;
    const output = workspace.outputs[this.#output]!;
    const { slot, gradient, row, offsets } = output;
    kernels.set(descriptor, 'outputRow', row * 4);
    const extent = workspace.outputExtent(output);
    if (slot.address !== gradient.address) kernels.copy(gradient, 0, slot, 0, extent.rows * row);
    kernels.set(descriptor, 'outputs', gradient);
    kernels.set(descriptor, 'offsets', offsets);
    const { order, lengths: steps } = extent;
    const rows = Array.from(steps, (count, place) => {
      const b = order ? order[place]! : place;
      return { place, b, steps: count, labels: lengths[b]! };
    });
    const width = labels.length / rows.length;
    const counted = rows.filter((r) => r.steps + r.labels > 0).length;
    this.weight = counted;
    this.infiniteRows = 0;
    let loss = 0;
    for (const { place, b, steps: count, labels: own } of rows) {
      const share = 1 / (counted * Math.max(1, own));
      let sum = own > 0 ? Infinity : 0;
      if (own > this.#maxLabels) {
        // More labels than steps: no alignment, and no gradient.
        for (let t = 0; t < count; t++) {
          kernels.zero(gradient, (extent.offsets[t]! + place) * row, row);
        }
      } else if (count > 0) {
        const from = b * width;
        kernels.integers(this.#labels, 0, own).set(labels.subarray(from, from + own));
        kernels.set(descriptor, 'row', place);
        kernels.set(descriptor, 'steps', count);
        kernels.set(descriptor, 'count', own);
        kernels.set(descriptor, 'scale', factor * share);
        sum = kernels.run.loss_ctc(descriptor.address);
      }
      if (sum === Infinity) this.infiniteRows++;
      if (sum < Infinity || !this.#zeroInfinity) loss += share * sum;
    }
    if (this.tally) {
      this.tally.loss += loss * counted;
      this.tally.weight += counted;
    }
    return loss;
  }
}

export const ctc: LossKind<CtcOptions> = {
  ofRows: false,
  withoutMetrics: 'compare what greedyCtc finds by labelErrorRate',
  metricsOf: () => [],
  create: (options, places) => new Ctc(options, places),
};
