import { checkNumber } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { rangesOf } from './groups.ts';
import { part } from '../../engine/plan.ts';
import type { Descriptor, Plan, Slot } from '../../engine/plan.ts';
import { applyOptimizer, createOptimizer } from './optimizer.ts';
import type { Optimizer, Range } from './optimizer.ts';
import type { Store } from '../../graph/parameters.ts';
import type { TrainerOptions, UpdateReport } from '../options.ts';

/**
 * The gradients of a model's parameters, and what becomes of them: clipping and an optimizer with
 * its moments.
 */
export class Updater {
  /** Updates so far. */
  updates = 0;
  /** Like all parameters; gradients are added to it. */
  readonly gradients: Slot;
  #rate: number;
  readonly #store: Store;
  readonly #options: TrainerOptions;
  readonly #optimizer: Optimizer;
  readonly #ranges: readonly Range[];
  readonly #first: Slot;
  readonly #second: Slot;
  readonly #descriptor: Descriptor<'Update'>;

  constructor(plan: Plan, store: Store, options: TrainerOptions) {
    const { optimizer = { type: 'adam', learningRate: 0.001 }, groups = [] } = options;
    const { length } = store.values;
    this.#store = store;
    this.#options = options;
    this.#optimizer = createOptimizer(optimizer);
    const { hasFirst, hasSecond, learningRate, weightDecay } = this.#optimizer;
    this.#rate = learningRate;
    this.#ranges = rangesOf(store.parameters, groups, { learningRate, weightDecay });
    this.gradients = plan.reserve(length);
    this.#first = plan.reserve(hasFirst ? length : 0);
    this.#second = plan.reserve(hasSecond ? length : 0);
    this.#descriptor = plan.descriptor('Update');
  }

  /** Readies the moments, once the plan is placed. */
  begin(): void {
    const { hasSecond, initialSecond } = this.#optimizer;
    if (hasSecond) this.#store.kernels.floats(this.#second).fill(initialSecond);
  }

  get rate(): number {
    return this.#rate;
  }

  set rate(rate: number) {
    this.#rate = checkNumber('learningRate', rate, 0);
  }

  /** The vectors that going on needs, by the first part of the names of their tensors. */
  get vectors(): [prefix: string, vector: Slot][] {
    const vectors: [string, Slot][] = [['model.', this.#store.values]];
    if (this.#optimizer.hasFirst) vectors.push(['first.', this.#first]);
    if (this.#optimizer.hasSecond) vectors.push(['second.', this.#second]);
    return vectors;
  }

  /** Clips the gradients and moves the parameters. Where they are not finite, nothing moves. */
  update(): UpdateReport {
    const { kernels, values } = this.#store;
    const { gradients } = this;
    for (const { offset, length, share } of this.#ranges) {
      if (share === 0) kernels.zero(gradients, offset, length);
    }
    const squares = kernels.run.gradient_squares(gradients.address, gradients.length);
    const gradNorm = Math.sqrt(squares);
    if (!Number.isFinite(gradNorm)) {
      this.notFinite('norm of the gradients', gradNorm);
      return { gradNorm, finite: false };
    }
    const scale = this.#clip(gradNorm);
    const vectors = { parameters: values, gradients, first: this.#first, second: this.#second };
    const step = { taken: this.updates, rate: this.#rate, scale };
    applyOptimizer(kernels, this.#descriptor, this.#optimizer, this.#ranges, vectors, step);
    this.updates++;
    this.#store.version++;
    return { gradNorm, finite: true };
  }

  /** Throws, unless such an update is to be skipped. */
  notFinite(what: string, value: number): void {
    if (this.#options.onNonFinite === 'skip') return;
    throw new GatefoldError(
      'ERR_NON_FINITE',
      `the ${what} is ${value} at update ${this.updates + 1}; nothing was changed. ` +
        'Try a smaller learning rate or "gradClip", or look for values in the data that are not finite',
    );
  }

  /** Bounds the gradients; returns the factor that is left for the update to apply. */
  #clip(gradNorm: number): number {
    const { gradClip } = this.#options;
    const { run } = this.#store.kernels;
    if (!gradClip || 'step' in gradClip) return 1;
    if ('norm' in gradClip) return Math.min(1, gradClip.norm / (gradNorm + 1e-6));
    if ('value' in gradClip) {
      run.values_clamp(this.gradients.address, this.gradients.length, gradClip.value);
      return 1;
    }
    for (const { offset, length } of this.#store.parameters) {
      const { address } = part(this.gradients, offset);
      const norm = Math.sqrt(run.gradient_squares(address, length));
      if (norm > gradClip.tensorNorm) run.values_scale(address, length, gradClip.tensorNorm / norm);
    }
    return 1;
  }
}
