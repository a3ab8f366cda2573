import { GatefoldError } from '../errors.ts';
import type { Kernels } from '../kernels.ts';
import { CALLS } from './calls.ts';
import {
  ASLEEP,
  CALL,
  END,
  FAILURE,
  PENDING,
  ROUND,
  SHARES,
  Seat,
  WORDS,
  waitFor,
  wake,
} from './control.ts';
import type { Task } from './control.ts';

/** A Web Worker, or a `Worker` of `node:worker_threads`. */
export interface ThreadWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
  unref?(): void;
  on?(event: string, listener: (value: unknown) => void): void;
  addEventListener?(event: string, listener: (event: unknown) => void): void;
}

/** How long workers may take to begin. */
const START_MS = 10_000;

/** Milliseconds that a thread spins for the others, where every one may have a core of its own. */
const PATIENCE = 0.2;

/** How much more a call has to be worth where a worker sleeps. */
const ASLEEP_FACTOR = 20;

/** How much more a step has to be worth than a call, to meet after it. */
const STEP_FACTOR = 10;

/** Threads that the host runs at once. */
export function coresOf(): number {
  return (
    globalThis.navigator?.hardwareConcurrency ??
    globalThis.process?.getBuiltinModule?.('node:os').availableParallelism() ??
    1
  );
}

/** Threads that run their shares of a call at the same time: this one and its workers. */
export class Team {
  /** Whether all workers are there. */
  isWhole = true;
  readonly #least: number;
  /** Work of a step below which threads do not take it together. */
  readonly leastStep: number;
  /** For the kernels, of every thread. */
  scratch = 0;
  readonly #control: Int32Array;
  readonly #seat: Seat;
  readonly #workers: ThreadWorker[] = [];

  /** Adds `count` workers; rejects where one of them does not begin. */
  async begin(
    count: number,
    create: () => ThreadWorker,
    what: Pick<Task, 'bytes' | 'imports'>,
  ): Promise<void> {
    let timer: unknown;
    const late = new Promise((_, reject) => (timer = setTimeout(reject, START_MS)));
    try {
      const begun: Promise<void>[] = [];
      while (begun.length < count) begun.push(this.#begin(create(), what));
      await Promise.race([Promise.all(begun), late]);
    } finally {
      clearTimeout(timer as number);
    }
  }

  constructor(least: number, threads: number) {
    const patience = threads <= coresOf() ? PATIENCE : 0;
    this.#least = least;
    this.leastStep = least * STEP_FACTOR;
    this.#control = new Int32Array(new SharedArrayBuffer(4 * WORDS));
    this.#seat = new Seat(this.#control, 0, patience);
  }

  /** Work below which a call is not shared out: more where a worker would have to be woken. */
  get least(): number {
    return Atomics.load(this.#control, ASLEEP) > 0 ? this.#least * ASLEEP_FACTOR : this.#least;
  }

  get size(): number {
    return this.#workers.length + 1;
  }

  /** Resolves once a worker has its kernels. */
  #begin(worker: ThreadWorker, what: Pick<Task, 'bytes' | 'imports'>): Promise<void> {
    const share = this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      const on = (event: string, listener: () => void): void => {
        if (worker.on) worker.on(event, listener);
        else worker.addEventListener!(event, listener);
      };
      on('message', () => {
        worker.unref?.();
        resolve();
      });
      for (const event of ['error', 'exit', 'messageerror']) {
        on(event, () => {
          this.isWhole = false;
          reject();
        });
      }
      const { patience } = this.#seat;
      const task: Task = { ...what, control: this.#control, share, patience };
      worker.postMessage(task);
    });
  }

  /** Runs call number `index`, every thread its share, and returns when the last has ended. */
  run(run: Kernels['run'], index: number, args: readonly number[]): void {
    const control = this.#control;
    this.#seat.args.set(args);
    control[CALL] = index;
    control[SHARES] = this.size;
    control[PENDING] = this.#workers.length;
    Atomics.add(control, ROUND, 1);
    wake(control, ROUND);
    this.#seat.take(CALLS[index]!.call, run);
    for (let left; (left = Atomics.load(control, PENDING));)
      waitFor(control, PENDING, left, this.#seat.patience);
    if (!control[FAILURE]) return;
    this.isWhole = false;
    throw new GatefoldError(
      'ERR_STATE',
      `a call failed in ${this.#seat.failure}; what it was to write is not whole, and the engine goes on with one thread`,
    );
  }

  /** Ends the workers. */
  end(): void {
    this.isWhole = false;
    Atomics.store(this.#control, ROUND, END);
    Atomics.notify(this.#control, ROUND);
    for (const worker of this.#workers) worker.terminate();
  }
}
