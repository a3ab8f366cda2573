/**
 * Which is quicker now, one thread or all: on a machine whose cores others use too, threads wait
 * for the one that has no core, and two can take four times as long as one. Updates of a run are
 * alike, so that some of them are run the other way now and then, and the quicker way stays.
 */

/** What is told to use its threads, or not to. */
export interface Threaded {
  isAlone: boolean;
}

/** Updates after which the other way is tried: fewer while it may still change. */
const [SOON, LATE] = [32, 512];
/** Updates of each way in a trial, one where they are long. */
const TRIED = 3;
const LONG_MS = 100;
/** How much quicker the other way has to be. */
const MARGIN = 0.95;
/** An update that takes so many times as long as before asks for a trial, from two in a row on. */
const SLOW = 1.4;

const sum = (values: readonly number[]): number => values.reduce((total, ms) => total + ms, 0);

/** Chooses before every update, by the times of those before it. */
export class Pace {
  readonly #engine: Threaded;
  #isAlone = false;
  /** Updates until the next trial, and what they start from. */
  #left = SOON / 4;
  #interval = SOON;
  /** Of the trial that is under way: milliseconds of each way. */
  #trial: { own: number[]; other: number[] } | undefined;
  /** Milliseconds of an update as the last trial had it; slower ones since then, in a row. */
  #usual = Infinity;
  #slow = 0;

  constructor(engine: Threaded) {
    this.#engine = engine;
  }

  /** To be called with the milliseconds of every update. */
  add(ms: number): void {
    if (this.#trial) this.#compare(ms, this.#trial);
    else this.#count(ms);
    const isOther = this.#trial !== undefined && this.#trial.own.length > this.#trial.other.length;
    this.#engine.isAlone = this.#isAlone !== isOther;
  }

  #count(ms: number): void {
    this.#slow = ms > SLOW * this.#usual ? this.#slow + 1 : 0;
    this.#left--;
    // Not at once after a trial: what is slow both ways would be tried for ever.
    const isSlower = this.#slow >= 2 && this.#interval - this.#left > SOON / 2;
    if (this.#left <= 0 || isSlower) this.#trial = { own: [], other: [] };
  }

  #compare(ms: number, trial: { own: number[]; other: number[] }): void {
    const { own, other } = trial;
    (own.length > other.length ? other : own).push(ms);
    if (other.length < (ms > LONG_MS ? 1 : TRIED) || other.length < own.length) return;
    const isQuicker = sum(other) < MARGIN * sum(own);
    if (isQuicker) this.#isAlone = !this.#isAlone;
    this.#usual = Math.min(sum(own), sum(other)) / own.length;
    this.#interval = isQuicker ? SOON : Math.min(2 * this.#interval, LATE);
    this.#left = this.#interval;
    this.#slow = 0;
    this.#trial = undefined;
  }
}
