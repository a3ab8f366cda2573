import type { KernelImports } from '../imports.ts';
import type { Kernels } from '../kernels.ts';

/** What the threads of a team agree on: words of shared memory beside that of the kernels, from word to word: */

/** rises by one with every call that is shared out, or is the end; */
export const ROUND = 0;
export const END: number = -1;
/** workers that have not ended their share; */
export const PENDING = 1;
/** threads that wait without spinning; */
export const ASLEEP = 2;
/** the call, by its place in `CALLS`, and how many shares it has; */
export const CALL = 3;
export const SHARES = 4;
/** threads that have come to a barrier, and barriers that all have passed; */
const ARRIVED = 5;
const PASSED = 6;
/** characters of what a thread says that has failed, and behind it they themselves; */
export const FAILURE = 7;
const MAX_FAILURE = 200;
/** the arguments of the call, as float64. */
const ARGUMENTS = 208;
const MAX_ARGUMENTS = 12;
export const WORDS: number = ARGUMENTS + 2 * MAX_ARGUMENTS;

/** What a worker is told to begin with. */
export interface Task {
  /** The kernels, for shared memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly imports: KernelImports;
  readonly control: Int32Array;
  readonly share: number;
  readonly patience: number;
}

/** Runs share `seat.share` of `seat.shares`. */
export type SharedCall = (run: Kernels['run'], args: Float64Array, seat: Seat) => void;

const { pause } = Atomics as { pause?: () => void };

/** Looks at a word until it is no longer `value`; false where that takes longer than about `patience` milliseconds. */
function spin(control: Int32Array, word: number, value: number, patience: number): boolean {
  for (let left = patience * (pause ? 20_000 : 500_000); left > 0; left--) {
    if (Atomics.load(control, word) !== value) return true;
    pause?.();
  }
  return Atomics.load(control, word) !== value;
}

/** Whether this thread may wait without spinning: that of a page may not. */
let maySleep = true;

/** Returns when a word is no longer `value`: looks for about `patience` milliseconds, then sleeps. */
export function waitFor(control: Int32Array, word: number, value: number, patience: number): void {
  while (!spin(control, word, value, patience)) {
    if (!maySleep) continue;
    Atomics.add(control, ASLEEP, 1);
    try {
      Atomics.wait(control, word, value);
    } catch {
      maySleep = false;
    }
    Atomics.sub(control, ASLEEP, 1);
  }
}

/** To be called when a word has changed. */
export function wake(control: Int32Array, word: number): void {
  if (Atomics.load(control, ASLEEP) > 0) Atomics.notify(control, word);
}

/** The place of one thread in a team. */
export class Seat {
  readonly control: Int32Array;
  readonly args: Float64Array;
  readonly share: number;
  /** How long it spins for the others, in milliseconds: waking one takes about 0.05. */
  readonly patience: number;

  constructor(control: Int32Array, share: number, patience: number) {
    this.patience = patience;
    this.control = control;
    this.args = new Float64Array(control.buffer, ARGUMENTS * 4, MAX_ARGUMENTS);
    this.share = share;
  }

  get shares(): number {
    return this.control[SHARES]!;
  }

  /** Runs its share of the call at hand. */
  take(call: SharedCall, run: Kernels['run']): void {
    try {
      call(run, this.args, this);
    } catch (error) {
      const text = `thread ${this.share}: ${error}`.slice(0, MAX_FAILURE);
      // The first one knows best.
      if (Atomics.load(this.control, FAILURE)) return;
      for (let k = 0; k < text.length; k++) this.control[FAILURE + 1 + k] = text.charCodeAt(k);
      Atomics.store(this.control, FAILURE, text.length);
      this.#pass();
    }
  }

  /** What a thread has said that has failed. */
  get failure(): string {
    const length = Atomics.load(this.control, FAILURE);
    return String.fromCharCode(...this.control.subarray(FAILURE + 1, FAILURE + 1 + length));
  }

  /** Returns when all threads have come here. */
  meet(): void {
    const { control } = this;
    const passed = Atomics.load(control, PASSED);
    if (Atomics.add(control, ARRIVED, 1) === this.shares - 1) {
      Atomics.store(control, ARRIVED, 0);
      this.#pass();
    } else {
      waitFor(control, PASSED, passed, this.patience);
    }
    if (Atomics.load(control, FAILURE)) throw new Error('another thread failed');
  }

  #pass(): void {
    Atomics.add(this.control, PASSED, 1);
    wake(this.control, PASSED);
  }
}
