import { uniformExtent } from '../../ops/pass.ts';
import { NONE, part } from '../../engine/plan.ts';
import type { Descriptor, Slot } from '../../engine/plan.ts';
import type { Fields, Kernels } from '../../engine/kernels.ts';
import { scaleOf } from './loss.ts';
import type { Loss, LossPieces, LossPlaces, Targets, Wanted } from './loss.ts';
import type { Tally } from '../metrics.ts';
import { putRows } from '../../graph/rows.ts';
import type { Stretch } from '../../ops/pass.ts';
import type { Workspace } from '../../graph/workspace.ts';

/** What is special of a loss over rows. */
export interface RowForm {
  /** Its kind, and the constants of that kind. */
  readonly fields: Fields<'Loss'>;
  /** Elements of a row of targets. */
  readonly targetWidth: number;
  /** Weights of the classes; empty for none. */
  readonly weights: Float32Array;
  /** Refuses targets of the wrong kind, length or value; copies the others. */
  check(target: unknown, of: Wanted): Float32Array | Int32Array;
}

/**
 * A loss of single rows of outputs. The losses of all rows of a window are kept, so that their sum
 * has one order.
 */
export class RowLoss implements Loss, LossPieces {
  tally: Tally | undefined;
  weight = 0;
  readonly infiniteRows = 0;
  readonly #form: RowForm;
  readonly #kernels: Kernels;
  /** Number of the output, and its features. */
  readonly #output: number;
  readonly #width: number;
  readonly #targets: Slot;
  readonly #losses: Slot;
  readonly #weights: Slot;
  readonly #descriptor: Descriptor<'Loss'>;
  /** Whose targets were put last. */
  #rows = 0;

  constructor({ plan, store, batch, output, steps, segment }: LossPlaces, form: RowForm) {
    this.#form = form;
    this.#kernels = store.kernels;
    this.#output = output;
    this.#width = store.graph.outputs[output]!.width;
    this.#targets = plan.reserve(batch * segment * form.targetWidth);
    this.#weights = plan.reserve(form.weights.length);
    this.#losses = plan.reserve(batch * steps);
    this.#descriptor = plan.descriptor('Loss');
  }

  get pieces(): LossPieces {
    return this;
  }

  begin(): void {
    const { weights, fields } = this.#form;
    this.#kernels.floats(this.#weights).set(weights);
    this.#kernels.write(this.#descriptor, {
      ...fields,
      width: this.#width,
      targets: this.#targets,
      weights: weights.length ? this.#weights : NONE,
    });
  }

  check(target: unknown, of: Wanted): Targets {
    return { values: this.#form.check(target, of) };
  }

  put(workspace: Workspace, { values }: Targets, stretch: Stretch, sum: number): number {
    const { targetWidth: width } = this.#form;
    const { run } = this.#kernels;
    const { address } = this.#descriptor;
    const places = { slot: this.#targets, row: width, width };
    putRows(this.#kernels, workspace, values, places, stretch);
    this.#rows = stretch.extent.rows;
    this.#kernels.set(this.#descriptor, 'rows', this.#rows);
    const weight = run.loss_weight(address, sum);
    const { tally } = this;
    if (tally) {
      tally.weight += weight - sum;
      tally.scored = run.loss_count(address, tally.scored);
    }
    return weight;
  }

  run(workspace: Workspace, scale: number, replayed: number, earlier: number): void {
    const kernels = this.#kernels;
    const { run } = kernels;
    const { slot, gradient, row } = workspace.outputs[this.#output]!;
    const before = replayed * row;
    if (slot.address !== gradient.address) {
      kernels.copy(gradient, before, slot, before, this.#rows * row);
    }
    kernels.zero(gradient, 0, before);
    const descriptor = this.#descriptor;
    kernels.set(descriptor, 'outputRow', row * 4);
    kernels.set(descriptor, 'outputs', part(gradient, before));
    kernels.set(descriptor, 'losses', part(this.#losses, earlier));
    kernels.set(descriptor, 'scale', scale);
    const { tally } = this;
    if (tally) tally.score = run.loss_score(descriptor.address, tally.score);
    run.loss_rows(descriptor.address);
  }

  mean(workspace: Workspace, targets: Targets, stretch: Stretch, replayed = 0, factor = 1): number {
    let { extent } = stretch;
    const { isPooled, gradient, row } = workspace.outputs[this.#output]!;
    if (isPooled) {
      // Sorted rows: those without a step, which pool to nothing that could be learned, stand last.
      const valid = workspace.extent.offsets[1]!;
      extent = { ...uniformExtent(1, valid), order: extent.order };
      this.#kernels.zero(gradient, valid * row, (workspace.batch - valid) * row);
    }
    const { rows } = extent;
    this.weight = this.put(workspace, targets, { ...stretch, extent }, 0);
    const scale = scaleOf(this.weight);
    this.run(workspace, factor * scale, replayed, 0);
    return this.total(rows, scale);
  }

  total(rows: number, scale: number): number {
    const sum = this.#kernels.run.loss_total(this.#losses.address, rows);
    if (this.tally) this.tally.loss += sum;
    return sum * scale;
  }
}
