import { GatefoldError } from '../base/errors.ts';
import type { Kernels } from '../engine/kernels.ts';
import { CALLS } from './calls.ts';
import {
  ASLEEP,
  CALL,
  PENDING,
  ROUND,
  SHARES,
  Seat,
  TICK_MS,
  createControl,
  finish,
  wake,
} from './control.ts';
import type { Place, Task } from './control.ts';

/** A Web Worker, or a `Worker` of `node:worker_threads`. */
export interface ThreadWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
  unref?(): void;
  on?(event: string, listener: (value: unknown) => void): void;
  addEventListener?(event: string, listener: (event: unknown) => void): void;
}

/** What a team goes by. Tests take less of it. */
export interface TeamOptions {
  /**
   * Least work that is shared out: products below which a call is not worth the microseconds that
   * this takes.
   */
  readonly least: number;
  /** Most work of a piece: about a second of a slow host's. */
  readonly piece: number;
  /** For how long no thread may go on in a call. */
  readonly stillMs: number;
  /** How long workers may take to begin. */
  readonly startMs: number;
  /** What counters begin at. */
  readonly first: number;
}

const DEFAULTS: TeamOptions = {
  least: 100_000,
  piece: 5e8,
  stillMs: 5000,
  startMs: 10_000,
  first: 0,
};

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
  readonly #options: TeamOptions;
  /** For the kernels, of every thread. */
  scratch = 0;
  /** Whether no call is shared out. */
  isResting = false;
  /** Whether all workers are there. */
  #isWhole = true;
  readonly #place: Place;
  readonly #seat: Seat;
  readonly #workers: ThreadWorker[] = [];

  constructor(threads: number, options: Partial<TeamOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
    const { piece, stillMs, first } = this.#options;
    const patience = threads <= coresOf() ? PATIENCE : 0;
    this.#place = { control: createControl(first), share: 0, patience, piece };
    this.#seat = new Seat(this.#place, Math.ceil(stillMs / TICK_MS));
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Work below which a call is not shared out: more where a worker would have to be woken. */
  get least(): number {
    const { least } = this.#options;
    return Atomics.load(this.#place.control, ASLEEP) > 0 ? least * ASLEEP_FACTOR : least;
  }

  /** Work of a step below which threads do not take it together. */
  get leastStep(): number {
    return this.#options.least * STEP_FACTOR;
  }

  get size(): number {
    return this.#workers.length + 1;
  }

  /** Adds `count` workers; rejects where one of them does not begin. */
  async begin(
    count: number,
    create: () => ThreadWorker,
    what: Pick<Task, 'bytes' | 'imports'>,
  ): Promise<void> {
    let timer: unknown;
    const late = new Promise((_, reject) => (timer = setTimeout(reject, this.#options.startMs)));
    try {
      const begun: Promise<void>[] = [];
      while (begun.length < count) begun.push(this.#begin(create(), what));
      await Promise.race([Promise.all(begun), late]);
    } finally {
      clearTimeout(timer as number);
    }
  }

  /**
   * Resolves once a worker has its kernels, and says so by its number: others may send it, or us,
   * what they like.
   */
  #begin(worker: ThreadWorker, what: Pick<Task, 'bytes' | 'imports'>): Promise<void> {
    const share = this.#workers.push(worker);
    const task: Task = { ...what, ...this.#place, share, number: Math.random() };
    return new Promise((resolve, reject) => {
      const on = (event: string, listener: (message: unknown) => void): void => {
        if (worker.on) worker.on(event, listener);
        else worker.addEventListener!(event, (e) => listener((e as { data?: unknown }).data));
      };
      on('message', (message) => {
        if (message !== task.number) return;
        worker.unref?.();
        resolve();
      });
      for (const event of ['error', 'exit', 'messageerror']) {
        on(event, () => {
          this.end();
          reject();
        });
      }
      worker.postMessage(task);
    });
  }

  /** Runs call number `index`, every thread its share, and returns when the last has ended. */
  run(run: Kernels['run'], index: number, args: readonly number[]): void {
    const { control } = this.#place;
    this.#seat.args.set(args);
    control[CALL] = index;
    control[SHARES] = this.size;
    control[PENDING] = this.#workers.length;
    Atomics.add(control, ROUND, 1);
    wake(control, ROUND);
    if (this.#seat.lead(CALLS[index]!.call, run)) return;
    this.end();
    const message =
      `a call failed in ${this.#seat.failure || 'a worker'}; what it was to write is not whole: load the parameters again, ` +
      'or a checkpoint; the engine goes on with one thread, create another for more';
    throw new GatefoldError('ERR_THREADS', message);
  }

  /** Ends the workers. */
  end(): void {
    if (!this.#isWhole) return;
    this.#isWhole = false;
    const { control } = this.#place;
    finish(control);
    Atomics.add(control, ROUND, 1);
    wake(control, ROUND);
    for (const worker of this.#workers) worker.terminate();
  }
}
