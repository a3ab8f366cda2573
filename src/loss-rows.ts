import { part } from './kernels.ts';
import type { Kernels, Plan, Slot } from './kernels.ts';
import type { Loss } from './loss.ts';
import { putRows } from './sequence-io.ts';
import type { Stretch } from './sequence-io.ts';
import type { Store } from './store.ts';
import type { Workspace } from './workspace.ts';

/** A loss with its room in the engine: the targets of a pass, and the losses of all rows of a window, so that their sum has one order. */
export class LossRows {
  readonly loss: Loss;
  readonly #kernels: Kernels;
  /** Numbers from row to row of the outputs. */
  readonly #row: number;
  readonly #targets: Slot;
  readonly #losses: Slot;
  readonly #constants: Slot;

  /** @param pass most rows of a pass; @param window of all passes over a window. */
  constructor(plan: Plan, store: Store, loss: Loss, pass: number, window: number) {
    this.loss = loss;
    this.#kernels = store.kernels;
    this.#row = store.units.at(-1)!.outputRow;
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
    putRows(this.#kernels, workspace, target, { slot, row: width, width }, stretch);
    return this.loss.weigh(this.#kernels, slot, stretch.extent.rows, this.#constants, sum);
  }

  /**
   * Losses of `rows` outputs and, as gradient of the outputs, `scale` times that of their sum.
   *
   * @param replayed outputs of the pass before them, which get no gradient.
   * @param earlier rows of the window before them.
   */
  run(workspace: Workspace, rows: number, scale: number, replayed = 0, earlier = 0): void {
    const row = this.#row;
    const { output, outputGradient } = workspace;
    const before = replayed * row;
    if (output.address !== outputGradient.address) {
      this.#kernels.copy(outputGradient, before, output, before, rows * row);
    }
    this.#kernels.zero(outputGradient, 0, before);
    const outputs = part(outputGradient, before);
    const losses = part(this.#losses, earlier);
    const places = { outputs, row, targets: this.#targets, losses, rows };
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
    const { rows } = stretch.extent;
    const scale = scaleOf(this.put(workspace, target, stretch, 0));
    this.run(workspace, rows, scale, replayed);
    return this.total(rows, scale);
  }

  /** `scale` times the sum of the losses of the first `rows` rows of the window. */
  total(rows: number, scale: number): number {
    return this.#kernels.run.loss_total(this.#losses.address, rows) * scale;
  }
}

/** Nothing counts: no loss, and no gradient, rather than 0 / 0. */
export function scaleOf(weight: number): number {
  return weight > 0 ? 1 / weight : 0;
}
