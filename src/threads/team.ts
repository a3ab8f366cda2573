import { GatefoldError } from '../base/errors.ts';
import type { Kernels } from '../engine/kernels.ts';
import { importBuiltin } from './builtin.ts';
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
  /** As of a `Worker`. */
  postMessage(message: unknown): void;
  /** As of a `Worker`. */
  terminate(): unknown;
  /** As of a worker of `node:worker_threads`. */
  unref?(): void;
  /** As of a worker of `node:worker_threads`. */
  on?(event: string, listener: (value: unknown) => void): void;
  /** As of a `Worker` of a page. */
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
  /** How long a worker may take to answer at all, and ten times that to have its kernels. */
  readonly startMs: number;
  /** What counters begin at. */
  readonly first: number;
}

const DEFAULTS: TeamOptions = {
  least: 100_000,
  piece: 5e8,
  stillMs: 5000,
  startMs: 1000,
  first: 0,
};

/** How much longer a worker may take for its kernels than for its first answer. */
const SLOWEST = 10;

/** Milliseconds that a thread spins for the others, where every one may have a core of its own. */
const PATIENCE = 0.2;

/** How much more a call has to be worth where a worker sleeps. */
const ASLEEP_FACTOR = 20;

/** How much more a step has to be worth than a call, to meet after it. */
const STEP_FACTOR = 10;

/** Threads that the host runs at once. */
export async function countCores(): Promise<number> {
  const { hardwareConcurrency } = globalThis.navigator ?? {};
  if (hardwareConcurrency) return hardwareConcurrency;
  return (await importBuiltin('node:os'))?.availableParallelism?.() ?? 1;
}

/** Threads that run their shares of a call at the same time: this one and its workers. */
export class Team {
  readonly #options: TeamOptions;
  /** For the kernels, of every thread. */
  scratch = 0;
  /** Whether no call is shared out. */
  isResting = false;
  /** Why not all workers are there. */
  #reason: string | undefined;
  readonly #place: Place;
  readonly #seat: Seat;
  readonly #workers: ThreadWorker[] = [];

  constructor(threads: number, cores: number, options: Partial<TeamOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
    const { piece, stillMs, first } = this.#options;
    const patience = threads <= cores ? PATIENCE : 0;
    this.#place = { control: createControl(first), share: 0, patience, piece };
    this.#seat = new Seat(this.#place, Math.ceil(stillMs / TICK_MS));
  }

  /** Whether all workers are there. */
  get isWhole(): boolean {
    return this.#reason === undefined;
  }

  get reason(): string | undefined {
    return this.#reason;
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
    create: () => ThreadWorker | Promise<ThreadWorker>,
    what: Pick<Task, 'bytes' | 'imports'>,
  ): Promise<void> {
    while (this.#workers.length < count) this.#workers.push(await create());
    await Promise.all(this.#workers.map((worker, k) => this.#begin(worker, k + 1, what)));
  }

  /**
   * Resolves once a worker has its kernels, and says so by its number; that it has begun, it says
   * by the number below. Others may send it, or us, what they like.
   */
  #begin(
    worker: ThreadWorker,
    share: number,
    what: Pick<Task, 'bytes' | 'imports'>,
  ): Promise<void> {
    const patience = Math.ceil(this.#options.startMs / TICK_MS);
    const number = Math.random();
    const task: Task = { ...what, ...this.#place, share, number };
    const on = (event: string, listener: (value: unknown) => void): void => {
      if (worker.on) worker.on(event, listener);
      else worker.addEventListener!(event, listener);
    };
    return new Promise<void>((resolve, reject) => {
      // Node tells when it has started the thread, which takes long where others take the cores.
      let ticks = worker.on ? patience * SLOWEST : patience;
      const clock = setInterval(() => {
        if (this.isWhole && ticks-- > 0) return;
        stop();
        reject('does not answer');
      }, TICK_MS);
      const stop = (): void => clearInterval(clock);
      on('online', () => (ticks = patience));
      on('message', (message) => {
        const said = worker.on ? message : (message as { data: unknown }).data;
        if (said === number - 1) ticks = patience * SLOWEST;
        if (said !== number) return;
        stop();
        worker.unref?.();
        resolve();
      });
      for (const event of ['error', 'exit', 'messageerror']) {
        on(event, (value) => {
          stop();
          this.end('a worker has ended');
          reject(event === 'exit' ? 'has ended' : value);
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
    const failure = `a call failed in ${this.#seat.failure || 'a worker'}`;
    this.end(failure);
    const message =
      `${failure}; what it was to write is not whole: load the parameters again, ` +
      'or a checkpoint; the engine goes on with one thread, create another for more';
    throw new GatefoldError('ERR_THREADS', message);
  }

  /** Ends the workers. */
  end(reason: string): void {
    if (!this.isWhole) return;
    this.#reason = reason;
    const { control } = this.#place;
    finish(control);
    Atomics.add(control, ROUND, 1);
    wake(control, ROUND);
    for (const worker of this.#workers) worker.terminate();
  }
}
