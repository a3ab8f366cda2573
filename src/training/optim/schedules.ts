import { checkInteger, checkKeys, checkNumber } from '../../base/check.ts';

/**
 * The learning rate of an update, counted from 0, of `updates` in all: what `trainer.fit` takes as
 * `learningRate`. Only operations that every host rounds alike, so that a run resumes to the same
 * bits anywhere.
 */
export type Schedule = (update: number, updates: number) => number;

/** Down to zero in a straight line. */
export function linearDecay(rate: number): Schedule {
  checkNumber('rate', rate, 0);
  return (update, updates) => rate * (1 - update / updates);
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
 * 2017).
 */
export function cosineDecay(
  rate: number,
  options: { warmup?: number; floor?: number } = {},
): Schedule {
  checkNumber('rate', rate, 0);
  checkKeys('options', options, ['warmup', 'floor']);
  const warmup = checkInteger('warmup', options.warmup ?? 0, 0);
  const floor = checkNumber('floor', options.floor ?? 0, 0);
  return (update, updates) => {
    if (update < warmup) return (rate * (update + 1)) / warmup;
    const turn = (update - warmup) / Math.max(1, updates - warmup);
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

/** How many losses in a row were not lower than the best by more than `minDelta`. */
export class Patience {
  best: number = Infinity;
  waited = 0;
  readonly #minDelta: number;

  constructor(minDelta: number) {
    this.#minDelta = minDelta;
  }

  report(loss: number): void {
    const isBetter = Number.isFinite(loss) && loss < this.best - this.#minDelta;
    if (isBetter) this.best = loss;
    this.waited = isBetter ? 0 : this.waited + 1;
  }
}

/**
 * Times `factor` once a loss has not fallen for more than `patience` reports
 * (`torch.optim.lr_scheduler.ReduceLROnPlateau`). As the `learningRate` of `fit` it receives every
 * validation.
 */
export class ReduceOnPlateau {
  rate: number;
  /** @internal `fit` keeps it in snapshots. */
  readonly heard: Patience = new Patience(0);
  readonly #factor: number;
  readonly #patience: number;

  constructor(rate: number, options: { factor?: number; patience?: number } = {}) {
    checkKeys('options', options, ['factor', 'patience']);
    this.rate = checkNumber('rate', rate, 0);
    this.#factor = checkNumber('factor', options.factor ?? 0.1, 0, 1);
    this.#patience = checkInteger('patience', options.patience ?? 10, 0);
  }

  /** The rate after hearing of a loss. */
  report(loss: number): number {
    this.heard.report(loss);
    if (this.heard.waited > this.#patience) {
      this.rate *= this.#factor;
      this.heard.waited = 0;
    }
    return this.rate;
  }
}
