import { checkNumber } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { rangesOf } from './groups.ts';
import { part } from '../../engine/plan.ts';
import type { Descriptor, Plan, Slot } from '../../engine/plan.ts';
import {
  DEFAULT_OPTIMIZER,
  applyOptimizer,
  boundsAfter,
  createOptimizer,
  rangeFields,
} from './optimizer.ts';
import type { Bounds, Optimizer, Range } from './optimizer.ts';
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
  /** Bounds of what the last update left, as long as nobody else changed the parameters. */
  #known: { readonly version: number; readonly bounds: Bounds | undefined };

  constructor(plan: Plan, store: Store, options: TrainerOptions) {
    const { optimizer = DEFAULT_OPTIMIZER, groups = [] } = options;
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
    this.#known = { version: store.version, bounds: undefined };
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

  /**
   * Clips the gradients and moves the parameters. Where they, or what they would move to, are not
   * finite, nothing moves.
   */
  update(): UpdateReport {
    const { kernels } = this.#store;
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
    this.#clip(gradNorm);
    const step = { taken: this.updates, rate: this.#rate };
    const updates = rangeFields(this.#optimizer, this.#ranges, step);
    const largest = Math.min(gradNorm, this.#mostClipped);
    const bounds = boundsAfter(updates, this.#bounds, largest);
    const wrong = bounds ? undefined : this.#tryUpdate(updates);
    if (bounds) this.#apply(updates);
    if (wrong !== undefined) {
      this.notFinite('largest parameter or moment that the update leaves', wrong);
      return { gradNorm, finite: false };
    }
    this.updates++;
    this.#known = { version: ++this.#store.version, bounds };
    return { gradNorm, finite: true };
  }

  #apply(updates: ReturnType<typeof rangeFields>): void {
    const { kernels, values: parameters } = this.#store;
    const { gradients } = this;
    const vectors = { parameters, gradients, first: this.#first, second: this.#second };
    applyOptimizer(kernels, this.#descriptor, this.#optimizer, updates, vectors);
  }

  /**
   * The same with a copy of everything, which is put back where a number is not finite that was, or
   * was another: gives that number.
   */
  #tryUpdate(updates: ReturnType<typeof rangeFields>): number | undefined {
    const { kernels } = this.#store;
    const slots = this.vectors.map(([, slot]) => slot);
    const before = slots.map((slot) => kernels.floats(slot).slice());
    this.#apply(updates);
    for (const [k, slot] of slots.entries()) {
      const wrong = kernels
        .floats(slot)
        .find((value, i) => !Number.isFinite(value) && !Object.is(value, before[k]![i]));
      if (wrong === undefined) continue;
      slots.forEach((own, j) => kernels.floats(own).set(before[j]!));
      return wrong;
    }
    return undefined;
  }

  /** Of the magnitudes of parameters and moments: known from the last update, or found by norms. */
  get #bounds(): Bounds {
    const { version, bounds } = this.#known;
    if (bounds && version === this.#store.version) return bounds;
    const { kernels, values } = this.#store;
    const { hasFirst, hasSecond } = this.#optimizer;
    const normOf = ({ address, length }: Slot): number => {
      const norm = Math.sqrt(kernels.run.gradient_squares(address, length));
      return Number.isFinite(norm) ? norm : Infinity;
    };
    return {
      values: normOf(values),
      first: hasFirst ? normOf(this.#first) : 0,
      second: hasSecond ? normOf(this.#second) : 0,
    };
  }

  /** Throws, unless such an update is to be skipped. */
  notFinite(what: string, value: number | string): void {
    if (this.#options.onNonFinite === 'skip') return;
    throw new GatefoldError(
      'ERR_NON_FINITE',
      `the ${what} is ${value} at update ${this.updates + 1}; nothing was changed. ` +
        'Try a smaller learning rate or "gradClip", or look for values in the data that are not finite',
    );
  }

  /** The most that clipping leaves of a gradient. */
  get #mostClipped(): number {
    const { gradClip } = this.#options;
    return gradClip && 'value' in gradClip ? gradClip.value : Infinity;
  }

  /** Bounds the gradients. */
  #clip(gradNorm: number): void {
    const { gradClip } = this.#options;
    const { run } = this.#store.kernels;
    const { gradients } = this;
    if (!gradClip || 'step' in gradClip) return;
    if ('norm' in gradClip) {
      const factor = gradClip.norm / (gradNorm + 1e-6);
      if (factor < 1) run.values_scale(gradients.address, gradients.length, factor);
      return;
    }
    if ('value' in gradClip) {
      run.values_clamp(gradients.address, gradients.length, gradClip.value);
      return;
    }
    for (const { offset, length } of this.#store.parameters) {
      const { address } = part(gradients, offset);
      const norm = Math.sqrt(run.gradient_squares(address, length));
      if (norm > gradClip.tensorNorm) run.values_scale(address, length, gradClip.tensorNorm / norm);
    }
  }
}
