import { uniformExtent } from '../../ops/pass.ts';
import { NONE, part } from '../../engine/plan.ts';
import type { Kernels } from '../../engine/kernels.ts';
import type { Plan, Slot } from '../../engine/plan.ts';
import type { Loss } from './loss.ts';
import type { Tally } from '../metrics.ts';
import { putRows } from '../../graph/rows.ts';
import type { Stretch } from '../../ops/pass.ts';
import type { Store } from '../../graph/parameters.ts';
import type { Workspace } from '../../graph/workspace.ts';

/**
 * A loss with its room in the engine: the targets of a pass, and the losses of all rows of a
 * window, so that their sum has one order.
 */
export class LossRows {
  readonly loss: Loss;
  /** What the passes at hand are added to. */
  tally: Tally | undefined;
  readonly #kernels: Kernels;
  readonly #targets: Slot;
  readonly #losses: Slot;
  readonly #constants: Slot;

  /** @param pass most rows of a pass; @param window of all passes over a window. */
  constructor(plan: Plan, store: Store, loss: Loss, pass: number, window: number) {
    this.loss = loss;
    this.#kernels = store.kernels;
    this.#targets = plan.reserve(pass * loss.targetWidth);
    this.#constants = plan.reserve(loss.constants.length);
    this.#losses = plan.reserve(window);
  }

  /** To be called when the plan has been placed. */
  begin(): void {
    this.#kernels.floats(this.#constants).set(this.loss.constants);
  }

  /** Brings the targets of a stretch of outputs in. Returns `sum` and what they weigh together. */
  put(
    workspace: Workspace,
    target: Float32Array | Int32Array,
    stretch: Stretch,
    sum: number,
  ): number {
    const { targetWidth: width } = this.loss;
    const slot = this.#targets;
    const { rows } = stretch.extent;
    putRows(this.#kernels, workspace, target, { slot, row: width, width }, stretch);
    const weight = this.loss.weigh(this.#kernels, slot, rows, this.#constants, sum);
    const { tally } = this;
    if (tally) {
      tally.weight += weight - sum;
      tally.scored = this.loss.weigh(this.#kernels, slot, rows, NONE, tally.scored);
    }
    return weight;
  }

  /**
   * Losses of `rows` outputs and, as gradient of the outputs, `scale` times that of their sum.
   *
   * @param replayed outputs of the pass before them, which get no gradient.
   * @param earlier rows of the window before them.
   */
  run(workspace: Workspace, rows: number, scale: number, replayed = 0, earlier = 0): void {
    const { output, outputGradient, outputRow: row } = workspace;
    const before = replayed * row;
    if (output.address !== outputGradient.address) {
      this.#kernels.copy(outputGradient, before, output, before, rows * row);
    }
    this.#kernels.zero(outputGradient, 0, before);
    const outputs = part(outputGradient, before);
    const losses = part(this.#losses, earlier);
    const places = { outputs, row, targets: this.#targets, losses, rows };
    const { tally } = this;
    if (tally) tally.score = this.loss.score(this.#kernels, places, tally.score);
    this.loss.run(this.#kernels, places, this.#constants, scale);
  }

  /**
   * Mean loss of the rows of a stretch of outputs, whose gradient becomes that of the outputs.
   *
   * @param replayed outputs of the pass before them, which get no gradient.
   */
  mean(
    workspace: Workspace,
    target: Float32Array | Int32Array,
    stretch: Stretch,
    replayed = 0,
  ): number {
    let { extent } = stretch;
    if (workspace.pooled) {
      // Sorted rows: those without a step, which pool to nothing that could be learned, stand last.
      const valid = workspace.extent.offsets[1]!;
      const { outputGradient, outputRow: row, batch } = workspace;
      extent = { ...uniformExtent(1, valid), order: extent.order };
      this.#kernels.zero(outputGradient, valid * row, (batch - valid) * row);
    }
    const { rows } = extent;
    const scale = scaleOf(this.put(workspace, target, { ...stretch, extent }, 0));
    this.run(workspace, rows, scale, replayed);
    return this.total(rows, scale);
  }

  /** `scale` times the sum of the losses of the first `rows` rows of the window. */
  total(rows: number, scale: number): number {
    const sum = this.#kernels.run.loss_total(this.#losses.address, rows);
    if (this.tally) this.tally.loss += sum;
    return sum * scale;
  }
}

/** Nothing counts: no loss, and no gradient, rather than 0 / 0. */
export function scaleOf(weight: number): number {
  return weight > 0 ? 1 / weight : 0;
}
