import type { KernelImports } from '../engine/imports.ts';
import type { Kernels } from '../engine/kernels.ts';

/** Most threads of a team. */
export const MAX_THREADS = 64;

// What the threads of a team agree on are words of shared memory beside that of the kernels. Words
// that count may begin anywhere and wrap: they are compared for equality alone.

/** Rises with every call that is shared out, and once more where the owner ends the team. */
export const ROUND = 0;
/** 1 once a thread has failed, or the owner has ended the team: no thread goes on. */
export const END = 1;
/** Workers that have not ended their share. */
export const PENDING = 2;
/** Threads that wait without spinning. */
export const ASLEEP = 3;
/** The call, by its place in `CALLS`, and how many shares it has. */
export const CALL = 4;
export const SHARES = 5;
/** Threads that have come to a barrier. */
const ARRIVED = 6;
/** Rises when all have, and with the end. */
const PASSED = 7;
/** 1 once a thread has something to say about its failure. */
const FAILING = 8;
/** How many characters that is, and behind it they themselves. */
const FAILURE = 9;
const MAX_FAILURE = 200;
/** A word for every thread, which it raises after every piece of its work. */
const RAISED = 210;
/** The arguments of the call, as float64. */
const ARGUMENTS: number = RAISED + MAX_THREADS;
const MAX_ARGUMENTS = 12;
const WORDS: number = ARGUMENTS + 2 * MAX_ARGUMENTS;

/** @param first what the words begin with that only rise. */
export function createControl(first: number): Int32Array<SharedArrayBuffer> {
  const control = new Int32Array(new SharedArrayBuffer(4 * WORDS));
  control[ROUND] = control[PASSED] = first;
  return control.fill(first, RAISED, ARGUMENTS);
}

/** The place of a thread in a team. */
export interface Place {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly share: number;
  /** How long it spins for the others, in milliseconds: waking one takes about 0.05. */
  readonly patience: number;
  /** Most products of a piece of its work. */
  readonly piece: number;
}

/** What a worker is told to begin with. */
export interface Task extends Place {
  /** The kernels, for shared memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly imports: KernelImports;
  /** The worker's answer, once it is ready. */
  readonly number: number;
}

/** Runs share `seat.share` of `seat.shares`. */
export type SharedCall = (run: Kernels['run'], args: Float64Array, seat: Seat) => void;

const { pause } = Atomics as { pause?: () => void };

/**
 * Looks at a word until it is no longer `value`; false where that takes longer than about
 * `patience` milliseconds.
 */
function spin(control: Int32Array, word: number, value: number, patience: number): boolean {
  for (let left = patience * (pause ? 20_000 : 500_000); left > 0; left--) {
    if (Atomics.load(control, word) !== value) return true;
    pause?.();
  }
  return Atomics.load(control, word) !== value;
}

/** Whether this thread may wait without spinning: that of a page may not. */
let maySleep = true;

/** Sleeps until a word changes; false after `milliseconds`. */
function sleep(control: Int32Array, word: number, value: number, milliseconds: number): boolean {
  Atomics.add(control, ASLEEP, 1);
  try {
    return Atomics.wait(control, word, value, milliseconds) !== 'timed-out';
  } catch {
    maySleep = false;
    return true;
  } finally {
    Atomics.sub(control, ASLEEP, 1);
  }
}

/** The same without sleep. */
function watch(control: Int32Array, word: number, value: number, milliseconds: number): boolean {
  const until = performance.now() + milliseconds;
  while (performance.now() < until) if (spin(control, word, value, 1)) return true;
  return false;
}

/**
 * Length of a tick. Waiting is counted in them: a clock that jumps, or a machine that slept, is
 * one.
 */
export const TICK_MS = 100;

/** What all threads have done, as one number: another one after every piece of work. */
function doneBy(control: Int32Array): number {
  let sum = 0;
  for (let k = RAISED; k < ARGUMENTS; k++) sum += Atomics.load(control, k);
  return sum;
}

/**
 * Waits until a word is no longer `value`: looks for about `patience` milliseconds, then sleeps.
 * False where no thread has raised its word for that many ticks.
 */
export function waitFor(
  control: Int32Array,
  word: number,
  value: number,
  patience: number,
  ticks: number = Infinity,
): boolean {
  const tick = ticks === Infinity ? Infinity : TICK_MS;
  let done: number | undefined;
  let still = 0;
  while (!spin(control, word, value, patience)) {
    if (maySleep ? sleep(control, word, value, tick) : watch(control, word, value, tick)) continue;
    const now = doneBy(control);
    still = now === done ? still + 1 : 0;
    if (still === ticks) return false;
    done = now;
  }
  return true;
}

/** To be called when a word has changed. */
export function wake(control: Int32Array, word: number): void {
  if (Atomics.load(control, ASLEEP) > 0) Atomics.notify(control, word);
}

/** Lets no thread go on: neither those that work nor those that wait at a barrier. */
export function finish(control: Int32Array): void {
  Atomics.store(control, END, 1);
  pass(control);
}

/** Opens the barrier. */
function pass(control: Int32Array): void {
  Atomics.add(control, PASSED, 1);
  wake(control, PASSED);
}

/** One thread of a team, at its place. */
export class Seat {
  readonly args: Float64Array;
  readonly share: number;
  readonly #control: Int32Array;
  readonly #patience: number;
  readonly #piece: number;
  readonly #ticks: number;
  #gaveUp = false;

  /**
   * @param ticks for which it waits while nobody goes on; a worker waits for its owner however long
   * that takes.
   */
  constructor({ control, share, patience, piece }: Place, ticks: number = Infinity) {
    this.args = new Float64Array(control.buffer, ARGUMENTS * 4, MAX_ARGUMENTS);
    this.share = share;
    this.#control = control;
    this.#patience = patience;
    this.#piece = piece;
    this.#ticks = ticks;
  }

  get shares(): number {
    return this.#control[SHARES]!;
  }

  /** Runs its share of a call. */
  take(call: SharedCall, run: Kernels['run']): void {
    try {
      this.#leaveAtEnd();
      call(run, this.args, this);
    } catch (error) {
      this.#fail(String(error));
    }
  }

  /**
   * The owner's share, and the wait for those of the workers: also after a failure, for then nobody
   * writes any longer.
   */
  lead(call: SharedCall, run: Kernels['run']): boolean {
    this.take(call, run);
    for (let left; (left = Atomics.load(this.#control, PENDING)) && this.#wait(PENDING, left););
    if (this.#gaveUp) this.#fail(this.#stillness);
    return !this.#gaveUp && !Atomics.load(this.#control, END);
  }

  /** What the thread has said that failed first; empty where none has. */
  get failure(): string {
    const length = this.#control[FAILURE]!;
    return String.fromCharCode(...this.#control.subarray(FAILURE + 1, FAILURE + 1 + length));
  }

  /** Returns when all threads have come here. */
  meet(): void {
    const control = this.#control;
    const passed = Atomics.load(control, PASSED);
    // The end raises PASSED: it is seen here, or ends the wait.
    this.#leaveAtEnd();
    if (Atomics.add(control, ARRIVED, 1) === this.shares - 1) {
      Atomics.store(control, ARRIVED, 0);
      pass(control);
    } else if (!this.#wait(PASSED, passed)) {
      throw this.#stillness;
    }
    this.#leaveAtEnd();
  }

  /**
   * Runs its share of so much work in pieces, each one part of so many. Its word shows the owner
   * that it goes on; after a piece it sees whether the team has ended.
   */
  inPieces(work: number, run: (part: number, count: number) => void): void {
    const pieces = Math.max(1, Math.ceil(work / this.limit));
    for (let k = 0; k < pieces; k++) {
      run(this.share * pieces + k, this.shares * pieces);
      this.raise();
    }
  }

  /** Most work of which every share is one piece. */
  get limit(): number {
    return this.#piece * this.shares;
  }

  /** To be called after every piece. */
  raise(): void {
    Atomics.add(this.#control, RAISED + this.share, 1);
    this.#leaveAtEnd();
  }

  get #stillness(): string {
    return `no thread went on for ${(this.#ticks * TICK_MS) / 1000} seconds; a worker may have been ended`;
  }

  /**
   * Waits until a word is no longer `value`. False where nobody goes on: that is waited for once.
   */
  #wait(word: number, value: number): boolean {
    this.#gaveUp ||= !waitFor(this.#control, word, value, this.#patience, this.#ticks);
    return !this.#gaveUp;
  }

  #leaveAtEnd(): void {
    if (Atomics.load(this.#control, END)) throw 'the team has ended';
  }

  /** Says what has failed. The first one knows best. */
  #fail(what: string): void {
    const control = this.#control;
    if (Atomics.compareExchange(control, FAILING, 0, 1)) return;
    const text = `thread ${this.share}: ${what}`.slice(0, MAX_FAILURE);
    for (let k = 0; k < text.length; k++) control[FAILURE + 1 + k] = text.charCodeAt(k);
    control[FAILURE] = text.length;
    finish(control);
  }
}
