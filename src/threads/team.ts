import { GatefoldError } from '../errors.ts';
import type { Kernels } from '../kernels.ts';
import {
  ASLEEP,
  DESCRIPTOR,
  END,
  FAILURE,
  PENDING,
  PHASE,
  ROUND,
  SCRATCH,
  SHARES,
  WORDS,
  spin,
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

/** Threads that run their shares of a call at the same time: this one and its workers. */
export class Team {
  /** Whether all workers are there. */
  isWhole = true;
  /** Work below which a call is not shared out. */
  readonly least: number;
  /** For the kernels, of every thread. */
  scratch = 0;
  readonly #control: Int32Array;
  readonly #workers: ThreadWorker[] = [];
  #mayWait = true;

  /** Adds `count` workers; rejects where one of them does not begin. */
  async begin(
    count: number,
    create: () => ThreadWorker,
    what: Pick<Task, 'bytes' | 'memory'>,
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

  constructor(least: number) {
    this.least = least;
    this.#control = new Int32Array(new SharedArrayBuffer(4 * WORDS));
  }

  get size(): number {
    return this.#workers.length + 1;
  }

  /** Resolves once a worker has its kernels. */
  #begin(worker: ThreadWorker, what: Pick<Task, 'bytes' | 'memory'>): Promise<void> {
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
      const task: Task = { ...what, control: this.#control, share };
      worker.postMessage(task);
    });
  }

  /** Runs a phase over a descriptor, every thread its share, and returns when the last has ended. */
  run(run: Kernels['run'], phase: number, descriptor: number): void {
    const control = this.#control;
    control[PHASE] = phase;
    control[DESCRIPTOR] = descriptor;
    control[SCRATCH] = this.scratch;
    control[SHARES] = this.size;
    control[PENDING] = this.#workers.length;
    Atomics.add(control, ROUND, 1);
    if (Atomics.load(control, ASLEEP) > 0) Atomics.notify(control, ROUND);
    try {
      run.part_run(phase, descriptor, this.scratch, 0, this.size);
    } finally {
      this.#join();
    }
    if (control[FAILURE]) this.#fail();
  }

  #join(): void {
    const control = this.#control;
    for (;;) {
      const pending = Atomics.load(control, PENDING);
      if (pending === 0) return;
      if (spin(control, PENDING, pending, 0.1) || !this.#mayWait) continue;
      try {
        Atomics.wait(control, PENDING, pending);
      } catch {
        // The main thread of a page may not wait: it spins on.
        this.#mayWait = false;
      }
    }
  }

  #fail(): never {
    const words = this.#control.subarray(FAILURE + 1, FAILURE + 1 + this.#control[FAILURE]!);
    this.isWhole = false;
    this.#control[FAILURE] = 0;
    throw new GatefoldError(
      'ERR_STATE',
      `a worker failed (${String.fromCharCode(...words)}): what the call was to write is not whole; the engine goes on with one thread`,
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
