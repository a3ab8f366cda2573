import type { IsRead } from '../../base/check.ts';
import type { Plan } from '../../engine/plan.ts';
import type { Store } from '../../graph/parameters.ts';
import type { Workspace } from '../../graph/workspace.ts';
import type { Stretch } from '../../ops/pass.ts';
import type { Metric, Tally } from '../metrics.ts';

/** Where a loss takes its memory, and for how much. */
export interface LossPlaces {
  readonly plan: Plan;
  readonly store: Store;
  readonly batch: number;
  /** Number of the output that it is of. */
  readonly output: number;
  /** Most steps of the outputs of a window. */
  readonly steps: number;
  /** The same of a pass: fewer where windows are run in segments. */
  readonly segment: number;
}

/** A kind of loss: what the trainer has to know of it before it takes memory. */
export interface LossKind<Options> {
  /**
   * Whether each row of outputs has a loss of its own. Otherwise a loss needs whole sequences with
   * an output of every step: no pool, no truncation, no segments.
   */
  readonly ofRows: boolean;
  /** What to do instead, where a loss gives no metric. */
  readonly withoutMetrics?: string;
  metricsOf(options: Options): readonly Metric[];
  /** Checks the options against the model, and reserves memory. */
  create(options: Options, places: LossPlaces): Loss;
}

/** Checked targets of a window, where nobody can change them. */
export interface Targets {
  /** A class or a row of values for each row of outputs; labels [B, U] of sequences. */
  readonly values: Float32Array | Int32Array;
  /** How many labels of each sequence count. */
  readonly lengths?: readonly number[];
}

/** What targets are of. */
export interface Wanted {
  /** Of outputs. */
  readonly rows: number;
  readonly isRead: IsRead;
  /** How many labels of each sequence count. */
  readonly labels: ArrayLike<number> | undefined;
}

/** A loss with its memory in the engine. */
export interface Loss {
  /** The sums that passes are added to while data is evaluated. */
  tally: Tally | undefined;
  /** What the last mean was over: 0 where no target counted. */
  readonly weight: number;
  /** Rows of the last mean whose loss is infinite, which give no gradient. */
  readonly infiniteRows: number;
  /** For windows in segments; absent where a loss needs whole sequences. */
  readonly pieces?: LossPieces;
  /** Writes its descriptor and constants; to be called once the plan is placed. */
  begin(): void;
  /** Refuses targets of the wrong kind, length or value. */
  check(target: unknown, of: Wanted): Targets;
  /**
   * Mean loss of the rows of a stretch of outputs, whose gradient becomes that of the outputs.
   *
   * @param replayed outputs of the pass before them, which get no gradient.
   * @param factor of the gradient, default 1.
   */
  mean(
    workspace: Workspace,
    targets: Targets,
    stretch: Stretch,
    replayed?: number,
    factor?: number,
  ): number;
}

/** A mean over several passes: the weights of all targets are known before the first gradient. */
export interface LossPieces {
  /** Copies the targets of a stretch of outputs in. Returns `sum` plus their weights. */
  put(workspace: Workspace, targets: Targets, stretch: Stretch, sum: number): number;
  /**
   * Losses of the rows whose targets were put last and, as gradient of the outputs, `scale` times
   * that of their sum.
   *
   * @param replayed outputs of the pass before them, which get no gradient.
   * @param earlier rows of the window before them.
   */
  run(workspace: Workspace, scale: number, replayed: number, earlier: number): void;
  /** `scale` times the sum of the losses of the first `rows` rows of the window. */
  total(rows: number, scale: number): number;
}

/** The factor of a mean; 0 where nothing counts, so that there is no loss and no gradient. */
export function scaleOf(weight: number): number {
  return weight > 0 ? 1 / weight : 0;
}
