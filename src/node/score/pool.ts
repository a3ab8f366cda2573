/** Workers that take jobs from a queue. One that dies is replaced, and its jobs are done again. */

import { GatefoldError } from '../../base/errors.ts';
import type { ErrorCode } from '../../base/errors.ts';

/** What a pool needs of a `Worker` of `node:worker_threads`. */
export interface PoolWorker {
  /** As of a worker of `node:worker_threads`. */
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
  /** As of a worker of `node:worker_threads`. */
  on(event: string, listener: (value: unknown) => void): unknown;
  /** As of a worker of `node:worker_threads`. */
  terminate(): Promise<number>;
  /** As of a worker of `node:worker_threads`. */
  unref(): void;
}

/** A worker and what it was given: `release` is called when it has ended. */
export interface Hired {
  readonly worker: PoolWorker;
  /** The first message. The worker answers it with a `Ready`. */
  readonly task: unknown;
  release(): void;
}

/** A job as a message: made again for each worker that tries it. */
export interface Job {
  readonly message: unknown;
  readonly transfer?: ArrayBuffer[];
}

/** What a worker sends: the number of the job with its answer, or with what went wrong. */
export interface Reply<Answer> {
  readonly number: number;
  readonly answer?: Answer;
  readonly error?: { readonly code?: ErrorCode; readonly message: string };
}

interface Waiting<Answer> {
  readonly make: () => Job;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  /** Workers that have died over it. */
  deaths: number;
}

interface Seat<Answer> {
  readonly hired: Hired;
  /** What it works on, in the order in which it was sent. */
  readonly jobs: Map<number, Waiting<Answer>>;
  isReady: boolean;
}

/** Jobs that a worker has at once: the next one is there when it has done the first. */
const DEPTH = 2;
/** Deaths that end a job, and of workers before their first answer that end the pool. */
const [MAX_DEATHS, MAX_BAD_STARTS] = [2, 3];
/** The number of the first message. */
const READY = 0;

export class WorkerPool<Answer> {
  readonly #hire: () => Hired;
  readonly #seats = new Set<Seat<Answer>>();
  readonly #queue: Waiting<Answer>[] = [];
  #number = READY;
  #badStarts = 0;
  #isOver = false;
  #failure: GatefoldError | undefined;

  constructor(count: number, hire: () => Hired) {
    this.#hire = hire;
    for (let k = 0; k < count; k++) this.#fill();
  }

  /** Why no worker begins any more. */
  get failure(): GatefoldError | undefined {
    return this.#failure;
  }

  /** Has a job done; rejects where it cannot be, or two workers have died over it. */
  run(make: () => Job): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#queue.push({ make, resolve, reject, deaths: 0 });
      this.#assign();
    });
  }

  /** Ends all workers. Jobs that they had are never answered. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#seats].map(({ hired }) => hired.worker.terminate()));
  }

  #fill(): void {
    const hired = this.#hire();
    const { worker, task } = hired;
    const seat: Seat<Answer> = { hired, jobs: new Map(), isReady: false };
    this.#seats.add(seat);
    let cause: unknown;
    worker.on('message', (reply) => this.#take(seat, reply as Reply<Answer>));
    worker.on('error', (error: unknown) => (cause = error));
    worker.on('exit', () => this.#replace(seat, cause));
    worker.unref();
    worker.postMessage(task);
  }

  #assign(): void {
    for (let depth = 1; depth <= DEPTH; depth++) {
      for (const { hired, jobs, isReady } of this.#seats) {
        if (!isReady || jobs.size >= depth) continue;
        const waiting = this.#queue.shift();
        if (!waiting) return;
        const number = ++this.#number;
        jobs.set(number, waiting);
        const { message, transfer } = waiting.make();
        hired.worker.postMessage({ number, message }, transfer ?? []);
      }
    }
  }

  #take(seat: Seat<Answer>, { number, answer, error }: Reply<Answer>): void {
    if (number === READY) {
      if (error) return this.#fail(errorOf(error));
      seat.isReady = true;
    } else {
      const waiting = seat.jobs.get(number)!;
      seat.jobs.delete(number);
      this.#badStarts = 0;
      if (error) waiting.reject(errorOf(error));
      else waiting.resolve(answer!);
    }
    this.#assign();
  }

  #replace(seat: Seat<Answer>, cause: unknown): void {
    this.#seats.delete(seat);
    seat.hired.release();
    if (this.#isOver) return;
    if (!seat.isReady && ++this.#badStarts >= MAX_BAD_STARTS) {
      return this.#fail(died('workers end before they begin', cause));
    }
    const [current, ...others] = seat.jobs.values();
    this.#queue.unshift(...others);
    if (current && ++current.deaths < MAX_DEATHS) this.#queue.unshift(current);
    else current?.reject(died(`${MAX_DEATHS} workers have died over it`, cause));
    this.#fill();
  }

  /** Ends everything that waits. */
  #fail(error: GatefoldError): void {
    this.#failure = error;
    const all = [
      ...this.#queue.splice(0),
      ...[...this.#seats].flatMap(({ jobs }) => [...jobs.values()]),
    ];
    for (const { reject } of all) reject(error);
    void this.end();
  }
}

function died(what: string, cause: unknown): GatefoldError {
  const why =
    cause === undefined ? '' : `: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new GatefoldError('ERR_THREADS', what + why);
}

function errorOf({ code, message }: NonNullable<Reply<never>['error']>): GatefoldError {
  return new GatefoldError(code ?? 'ERR_THREADS', message);
}

/** What a job came to. */
interface Done {
  readonly answer: unknown;
  readonly transfer: ArrayBuffer[];
}

/** The other side, in a worker: answers the first message, and then one job after the other. */
export function serve<Task, Message>(
  port: {
    on(event: string, listener: (value: unknown) => void): unknown;
    postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  },
  begin: (task: Task) => (message: Message) => Done | Promise<Done>,
): void {
  let work: ReturnType<typeof begin> | undefined;
  const attempt = async (number: number, body: () => void | Promise<void>): Promise<void> => {
    try {
      await body();
    } catch (error) {
      const { code, message } = error as { code?: ErrorCode; message?: string };
      const isOwn = error instanceof GatefoldError;
      port.postMessage(
        {
          number,
          error: { ...(isOwn && { code }), message: message ?? String(error) },
        },
        [],
      );
    }
  };
  port.on('message', (value) => {
    if (!work) {
      void attempt(READY, () => {
        work = begin(value as Task);
        port.postMessage({ number: READY }, []);
      });
      return;
    }
    const { number, message } = value as { number: number; message: Message };
    void attempt(number, async () => {
      const { answer, transfer } = await work!(message);
      port.postMessage({ number, answer }, transfer);
    });
  });
}
