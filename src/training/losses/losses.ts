import { kindOf } from '../../base/arrays.ts';
import { checkNumber, hasNamed, readNamed, show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { Kernels } from '../../engine/kernels.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Workspace } from '../../graph/workspace.ts';
import { readRows } from '../../graph/rows.ts';
import type { Places } from '../../graph/rows.ts';
import type { Numbers } from '../../base/tensor.ts';
import type { Stretch } from '../../ops/pass.ts';
import { measuresOf, newTally } from '../metrics.ts';
import type { Measures, Metric } from '../metrics.ts';
import { createLoss, gives, lossOptions } from './index.ts';
import type { LossChoice, LossOptions } from './index.ts';
import { scaleOf } from './loss.ts';
import type { Loss, LossPlaces, Targets } from './loss.ts';

/** The loss of the only output, or of some outputs by their names. */
export type LossChoices = LossChoice | Readonly<Record<string, LossChoice>>;

/** Targets of the only loss, or of each by the name of its output. */
export type TargetArrays = Numbers | Readonly<Record<string, Numbers>>;

/** Checked targets of every loss. */
export type AllTargets = readonly Targets[];

/** Whether losses are given by the names of outputs. */
function isNamed(choices: LossChoices): choices is Readonly<Record<string, LossChoice>> {
  return typeof choices === 'object' && choices !== null && !Object.hasOwn(choices, 'type');
}

/** Every loss of a choice with its options, of a known type. */
export function allOptions(choices: LossChoices): readonly LossOptions[] {
  return isNamed(choices) ? Object.values(choices).map(lossOptions) : [lossOptions(choices)];
}

/** One loss of a model. */
interface Part {
  readonly name: string;
  readonly options: LossOptions;
  readonly loss: Loss;
  /** Its factor in the sum of all. */
  readonly weight: number;
  /** Number of the output. */
  readonly index: number;
}

/** The losses of a trainer, one for each output that has one; their sum is what training lowers. */
export class Losses {
  readonly #parts: readonly Part[];
  readonly #graph: Graph;
  readonly #kernels: Kernels;
  /** Outputs without a loss, which have no gradient of their own. */
  readonly #silent: readonly number[];
  /** Whether a target of the last window counted. */
  hasTargets = false;

  /** @param places but for the steps, which are those of `totals` and of a segment of them. */
  constructor(
    choices: LossChoices,
    weights: Readonly<Record<string, number>>,
    places: Pick<LossPlaces, 'plan' | 'store' | 'batch'>,
    totals: readonly number[],
    segments: readonly number[],
  ) {
    const { graph, kernels } = places.store;
    const { outputs } = graph;
    const names = outputs.map(({ name }) => name);
    if (!isNamed(choices) && names.length > 1) {
      const message = `"loss" expected an object with a loss for some of the outputs ${names.map(show).join(', ')}, got one`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    const chosen = isNamed(choices) ? readNamed<LossChoice>('loss', choices, names) : [choices];
    const factors = readNamed<number>('lossWeights', weights, names);
    this.#graph = graph;
    this.#kernels = kernels;
    this.#parts = outputs.flatMap(({ name, sequence }, index): Part[] => {
      const choice = chosen[index];
      if (choice === undefined) return [];
      const options = lossOptions(choice);
      const steps = graph.stepsOf(totals[sequence]!, index);
      const segment = graph.stepsOf(segments[sequence]!, index);
      const loss = createLoss(options, { ...places, steps, segment, output: index });
      const weight = checkNumber(`lossWeights.${name}`, factors[index] ?? 1, 0);
      return [{ name, options, loss, weight, index }];
    });
    if (!this.#parts.length) {
      throw new GatefoldError('ERR_ARGUMENT', '"loss" expected a loss for at least one output');
    }
    const heard = this.#parts.map(({ index }) => index);
    this.#silent = [...outputs.keys()].filter((index) => !heard.includes(index));
  }

  /** Writes descriptors and constants; to be called once the plan is placed. */
  begin(): void {
    for (const { loss } of this.#parts) loss.begin();
  }

  /** Refuses targets of the wrong kind, length or value. */
  check(target: unknown, places: Places, labels: ArrayLike<number> | undefined): AllTargets {
    const parts = this.#parts;
    const names = parts.map(({ name }) => name);
    const isOne = parts.length === 1 && !hasNamed(target, names[0]!);
    const isArray = Array.isArray(target) || kindOf(target) !== undefined;
    if (parts.length > 1 && (typeof target !== 'object' || !target || isArray)) {
      const message = `"target" expected an object with the targets of ${names.map(show).join(', ')}, got ${show(target)}`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    const given = isOne ? [target] : readNamed('target', target, names);
    return parts.map(({ loss, index }, k) => {
      const { sequence } = this.#graph.outputs[index]!;
      const steps = this.#graph.stepsOf(places.totals[sequence]!, index);
      const valid = places.lengths[sequence]?.map((n) => n && this.#graph.stepsOf(n, index));
      const isRead = readRows(steps, places, valid);
      return loss.check(given[k], { rows: steps * places.batch, isRead, labels });
    });
  }

  /**
   * The sum of the mean losses of a pass, whose gradient becomes that of the outputs.
   *
   * @param stretch of the inputs.
   * @param replayed rows of the pass before them, which get no gradient.
   */
  mean(workspace: Workspace, targets: AllTargets, stretch: Stretch, replayed = 0): number {
    for (const index of this.#silent) this.#silence(workspace, index);
    const mean = this.#parts.reduce((sum, { loss, weight, index }, k) => {
      const output = workspace.outputs[index]!;
      const own = workspace.outputStretch(output, stretch);
      return sum + weight * loss.mean(workspace, targets[k]!, own, replayed, weight);
    }, 0);
    this.hasTargets = this.#parts.some(({ loss }) => loss.weight > 0);
    return mean;
  }

  /** Rows of the last window whose loss is infinite. */
  get infiniteRows(): number {
    return this.#parts.reduce((sum, { loss }) => sum + loss.infiniteRows, 0);
  }

  #silence(workspace: Workspace, index: number): void {
    const { gradient, row } = workspace.outputs[index]!;
    const { rows } = workspace.outputExtent(workspace.outputs[index]!);
    this.#kernels.zero(gradient, 0, rows * row);
  }

  /** Copies the targets of a stretch in. Returns the weights of each loss so far. */
  put(
    workspace: Workspace,
    targets: AllTargets,
    stretch: Stretch,
    sums: readonly number[],
  ): number[] {
    return this.#parts.map(({ loss, index }, k) => {
      const own = workspace.outputStretch(workspace.outputs[index]!, stretch);
      return loss.pieces!.put(workspace, targets[k]!, own, sums[k] ?? 0);
    });
  }

  /**
   * Losses of the rows whose targets were put last and, for sums of weights, the gradient of their
   * means; without them none.
   *
   * @param earlier rows of the window before them.
   */
  run(workspace: Workspace, sums: readonly number[] | undefined, earlier: number): void {
    for (const index of this.#silent) this.#silence(workspace, index);
    for (const [k, { loss, weight }] of this.#parts.entries()) {
      loss.pieces!.run(workspace, sums ? weight * scaleOf(sums[k]!) : 0, 0, earlier);
    }
  }

  /** The sum of the means over the first `rows` rows of the window. */
  total(rows: number, sums: readonly number[]): number {
    this.hasTargets = sums.some((sum) => sum > 0);
    return this.#parts.reduce(
      (sum, { loss, weight }, k) => sum + weight * loss.pieces!.total(rows, scaleOf(sums[k]!)),
      0,
    );
  }

  /** Counts what passes find until the function that is given back is called for the means. */
  measuring(metrics: readonly Metric[]): {
    readonly during: <T>(pass: () => T) => T;
    readonly measures: () => Measures;
  } {
    const parts = this.#parts;
    const scored = parts.find(({ options }) => gives(options, metrics)) ?? parts[0]!;
    gives(scored.options, metrics, /* isNeeded */ true);
    const tallies = parts.map(() => newTally());
    return {
      during: (pass) => {
        parts.forEach(({ loss }, k) => (loss.tally = tallies[k]));
        try {
          return pass();
        } finally {
          for (const { loss } of parts) loss.tally = undefined;
        }
      },
      measures: () => {
        const all = parts.map((part, k) => measuresOf(tallies[k]!, part === scored ? metrics : []));
        const loss = parts.reduce((sum, { weight }, k) => sum + weight * all[k]!.loss, 0);
        return { ...all[parts.indexOf(scored)]!, loss };
      },
    };
  }
}
