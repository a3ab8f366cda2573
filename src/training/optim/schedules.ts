import { checkChoice, checkInteger, checkKeys, checkNumber } from '../../base/check.ts';

/**
 * The learning rate of an update, counted from 0, of `updates` in all: what `trainer.fit` takes as
 * `learningRate`. Only operations that every host rounds alike, so that a run resumes to the same
 * bits anywhere.
 */
export type Schedule = (update: number, updates: number) => number;

/** Down to zero in a straight line, and zero from there on. */
export function linearDecay(rate: number): Schedule {
  checkNumber('rate', rate, 0);
  return (update, updates) => rate * Math.max(0, 1 - update / updates);
}

/** Times `factor` after every `every` updates. */
export function stepDecay(rate: number, options: { every: number; factor: number }): Schedule {
  checkNumber('rate', rate, 0);
  checkKeys('options', options, ['every', 'factor']);
  const every = checkInteger('every', options.every, 1);
  const factor = checkNumber('factor', options.factor, 0, 1);
  return (update) => {
    let result = rate;
    for (let k = Math.floor(update / every); k > 0; k--) result *= factor;
    return result;
  };
}

/**
 * Up from zero over `warmup` updates, then down to `floor` along half a cosine (Loshchilov & Hutter
 * 2017), where it stays.
 *
 * @example
 *   await trainer.fit(data, { epochs: 10, learningRate: cosineDecay(0.01, { warmup: 100 }) });
 */
export function cosineDecay(
  rate: number,
  options: { warmup?: number; floor?: number } = {},
): Schedule {
  checkNumber('rate', rate, 0);
  checkKeys('options', options, ['warmup', 'floor']);
  const warmup = checkInteger('warmup', options.warmup ?? 0, 0);
  const floor = checkNumber('floor', options.floor ?? 0, 0, rate);
  return (update, updates) => {
    if (update < warmup) return (rate * (update + 1)) / warmup;
    const turn = Math.min(1, (update - warmup) / Math.max(1, updates - warmup));
    return floor + ((rate - floor) * (1 + cosine(turn))) / 2;
  };
}

/**
 * cos(pi x) for x in [0, 1], to 5e-8: -sin(pi (x - 1/2)) by its Taylor series. `Math.cos` has other
 * last bits in other engines.
 */
function cosine(x: number): number {
  const angle = Math.PI * (x - 0.5);
  const square = angle * angle;
  let sum = 0;
  for (let k = 15; k >= 3; k -= 2) sum = ((1 + sum) * -square) / (k * (k - 1));
  return -angle * (1 + sum);
}

/** How many losses in a row were not lower than the best by more than a margin. */
export class Patience {
  best: number = Infinity;
  waited = 0;
  /** How much lower than the best so far a loss has to be. */
  readonly #marginOf: (best: number) => number;

  constructor(marginOf: (best: number) => number) {
    this.#marginOf = marginOf;
  }

  report(loss: number): void {
    const { best } = this;
    const isFirst = best === Infinity;
    const isBetter = Number.isFinite(loss) && (isFirst || loss < best - this.#marginOf(best));
    if (isBetter) this.best = loss;
    this.waited = isBetter ? 0 : this.waited + 1;
  }
}

/** How `ReduceOnPlateau` lowers the rate, by PyTorch's names. */
export interface PlateauOptions {
  /** Of the rate; default 0.1. */
  readonly factor?: number;
  /** Reports without a better loss that are borne; default 10. */
  readonly patience?: number;
  /** What a loss has to be lower by to be better than the best so far; default 1e-4. */
  readonly threshold?: number;
  /** Whether `threshold` is a share of the best loss (`rel`, default) or a difference (`abs`). */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Reports after a reduction that are not counted; default 0. */
  readonly cooldown?: number;
  /** The rate never falls below it; default 0. */
  readonly minLr?: number;
  /** A reduction by less than it does not take place; default 1e-8. */
  readonly eps?: number;
}

/**
 * Times `factor` once a loss has not fallen for more than `patience` reports
 * (`torch.optim.lr_scheduler.ReduceLROnPlateau` of mode `min`, with its defaults). As the
 * `learningRate` of `fit` it receives every validation; a run that does not resume another starts
 * it anew.
 *
 * @example
 *   const learningRate = new ReduceOnPlateau(0.01, { patience: 2 });
 *   await trainer.fit(data, { epochs: 10, validation, learningRate });
 */
export class ReduceOnPlateau {
  /** The rate now. */
  rate: number;
  /** @internal `fit` keeps it in snapshots. */
  readonly heard: Patience;
  /** @internal Reports until the next is counted. */
  cooling = 0;
  readonly #initial: number;
  readonly #factor: number;
  readonly #patience: number;
  readonly #cooldown: number;
  readonly #least: number;
  readonly #eps: number;

  constructor(rate: number, options: PlateauOptions = {}) {
    const keys = ['factor', 'patience', 'threshold', 'thresholdMode', 'cooldown', 'minLr', 'eps'];
    checkKeys('options', options, keys);
    this.rate = checkNumber('rate', rate, 0);
    this.#initial = rate;
    this.#factor = checkNumber('factor', options.factor ?? 0.1, 0, 1);
    this.#patience = checkInteger('patience', options.patience ?? 10, 0);
    this.#cooldown = checkInteger('cooldown', options.cooldown ?? 0, 0);
    this.#least = checkNumber('minLr', options.minLr ?? 0, 0, rate);
    this.#eps = checkNumber('eps', options.eps ?? 1e-8, 0);
    const threshold = checkNumber('threshold', options.threshold ?? 1e-4, 0);
    const mode = checkChoice('thresholdMode', options.thresholdMode ?? 'rel', ['rel', 'abs']);
    this.heard = new Patience((best) => (mode === 'rel' ? threshold * best : threshold));
  }

  /** The rate after hearing of a loss. */
  report(loss: number): number {
    const { heard } = this;
    heard.report(loss);
    if (this.cooling > 0) {
      this.cooling--;
      heard.waited = 0;
    }
    if (heard.waited > this.#patience) {
      const reduced = Math.max(this.rate * this.#factor, this.#least);
      if (this.rate - reduced > this.#eps) this.rate = reduced;
      this.cooling = this.#cooldown;
      heard.waited = 0;
    }
    return this.rate;
  }

  /** Forgets what it has heard, and goes back to the rate that it was made with. */
  reset(): void {
    Object.assign(this.heard, { best: Infinity, waited: 0 });
    this.rate = this.#initial;
    this.cooling = 0;
  }
}
