/** Results of many sequences: batches of similar lengths, over all cores. */

import { availableParallelism } from 'node:os';
import { checkFlag, checkInteger, checkNumber, readOptions, show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { Inputs } from '../../base/tensor.ts';
import { storeOf } from '../../model/model.ts';
import type { Model } from '../../model/model.ts';
import { Packer, runPacked } from './batch.ts';
import type { Packed, Sequence } from './batch.ts';
import { copyShared, hire } from './crew.ts';
import type { PoolWorker } from './pool.ts';

/** A record whose inputs the model does not take, or that no worker survives. */
export interface BadRecord<R> {
  /** Its position among the records, from 0. */
  readonly index: number;
  /** The record itself. */
  readonly record: R;
  /** Why the model does not take it. */
  readonly error: GatefoldError;
}

/** How far a run of `scoreSequences` is. */
export interface ScoreProgress {
  /** Records with a result, and those that were skipped. */
  readonly records: number;
  /** Records without a result. */
  readonly skipped: number;
  /** Steps of those with a result. */
  readonly steps: number;
  /** Time since the start. */
  readonly seconds: number;
}

/** An `AbortSignal`, of any host's types. */
export interface ScoreSignal {
  /** Whether the run is to end. */
  readonly aborted: boolean;
  /** What the run then throws. */
  readonly reason?: unknown;
  /** As of an `AbortSignal`. */
  addEventListener(type: 'abort', listener: () => void): void;
  /** As of an `AbortSignal`. */
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** What `scoreSequences` runs, and how. */
export interface ScoreOptions<R> {
  /** The model: this or `modelBytes`. */
  readonly model?: Model;
  /** A file of `saveModel`. */
  readonly modelBytes?: Uint8Array;
  /** The inputs of a record, [T, I] or tokens [T]; default the record itself. */
  readonly input?: (record: R) => Inputs;
  /** Threads that run the model; default one a core. With 0 the calling thread runs it. */
  readonly workers?: number;
  /** Sequences of a batch; default 32. */
  readonly batch?: number;
  /**
   * Milliseconds for which a record may wait for others of similar length; default as long as it
   * takes. What comes from a live source wants a bound.
   */
  readonly maxLatency?: number;
  /** Whether results come in the order of the records; default true. */
  readonly ordered?: boolean;
  /** Ends the run, with its reason. */
  readonly signal?: ScoreSignal;
  /** Is called after every batch. */
  readonly onProgress?: (progress: ScoreProgress) => void;
  /** Is called with a record that has no result, which is then skipped; without it the run ends. */
  readonly onBadRecord?: (bad: BadRecord<R>) => void;
  /** Kernels for `modelBytes`, as of an engine; default `auto`. A `model` keeps its own. */
  readonly simd?: 'auto' | 'deterministic';
  /**
   * Whether workers run in the fast lane where the host has it: V8 is given its flags for the whole
   * process. Default true; never with 0 workers.
   */
  readonly fastLane?: boolean;
  /** Bytes of memory for the passes of a worker; default what the model needs, at most 128 MiB. */
  readonly maxBytes?: number;
  /** Makes a worker that does nothing but run the package's own file, where it cannot be found. */
  readonly worker?: () => PoolWorker;
}

/** The result of a record. */
export interface ScoreResult<R> {
  /** Its position among the records, from 0. */
  readonly index: number;
  /** The record itself. */
  readonly record: R;
  /** [O], of a model without a pool [T, O]; of several outputs the first. */
  readonly output: Float32Array;
  /** All outputs by name. */
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

const KEYS = [
  'model',
  'modelBytes',
  'input',
  'workers',
  'batch',
  'maxLatency',
  'ordered',
  'signal',
  'onProgress',
  'onBadRecord',
  'simd',
  'fastLane',
  'maxBytes',
  'worker',
] as const;

/** Batches whose records are sorted by length together. */
const WINDOW = 16;
/** Numbers of them at most. */
const WINDOW_NUMBERS = 2 ** 22;
/** Windows of records that have been read and not yet given back. */
const WINDOWS = 4;

type Run = (make: () => Packed) => Promise<readonly Float32Array[]>;

interface Runner {
  readonly packer: Packer;
  readonly run: Run;
  /** Why no batch will be run any more. */
  readonly failure?: () => unknown;
  end(): Promise<void>;
}

interface Entry<R> {
  readonly index: number;
  readonly record: R;
  readonly sequence: Sequence;
}

/** Options with defaults. */
type Settings<R> = ScoreOptions<R> &
  Required<Pick<ScoreOptions<R>, 'workers' | 'batch' | 'ordered' | 'input' | 'maxLatency'>>;

/** `scoreSequences` of the entry, which knows how its workers are made. */
export function scoreSequences<R>(
  records: Iterable<R> | AsyncIterable<R>,
  options: ScoreOptions<R>,
  start: () => PoolWorker,
): AsyncGenerator<ScoreResult<R>, void, undefined> {
  const settings = checked(options, start);
  const isList = typeof records === 'object' && records !== null;
  if (!isList || !(Symbol.asyncIterator in records || Symbol.iterator in records)) {
    throw new GatefoldError('ERR_ARGUMENT', `"records" expected an iterable, got ${show(records)}`);
  }
  return new Scoring(records, settings).results();
}

function checked<R>(options: ScoreOptions<R>, start: () => PoolWorker): Settings<R> {
  const given = readOptions('options', options, KEYS);
  const { model, modelBytes } = given;
  if ((model === undefined) === (modelBytes === undefined)) {
    throw new GatefoldError('ERR_ARGUMENT', '"options" expected either "model" or "modelBytes"');
  }
  if (model) storeOf(model);
  return {
    worker: start,
    ...given,
    input: given.input ?? ((record) => record as Inputs),
    workers: checkInteger('workers', given.workers ?? availableParallelism(), 0, 1024),
    batch: checkInteger('batch', given.batch ?? 32, 1, 65_536),
    ordered: checkFlag('ordered', given.ordered, true),
    fastLane: checkFlag('fastLane', given.fastLane, true),
    maxLatency:
      given.maxLatency === undefined
        ? Infinity
        : checkNumber('maxLatency', given.maxLatency, 0, 2 ** 31 - 1),
  };
}

/** What runs batches: workers, or this thread. */
async function runnerOf<R>(settings: Settings<R>): Promise<Runner> {
  const { model, modelBytes, workers, batch, maxBytes, fastLane, worker } = settings;
  const { simd = model?.engine.variant === 'baseline' ? 'deterministic' : 'auto' } = settings;
  if (workers === 0 && model) return direct(model, new Packer(model, batch, maxBytes), () => {});
  const shared = await copyShared(model ?? modelBytes!, {
    simd,
    fastLane: fastLane! && workers > 0,
  });
  const { engine } = shared;
  const packer = new Packer(shared, batch, maxBytes);
  if (workers === 0) return direct(shared, packer, () => engine.dispose());
  const pool = hire<readonly Float32Array[]>(shared, workers, packer.bytes, worker!);
  return {
    packer,
    failure: () => pool.failure,
    run: (make) =>
      pool.run(() => {
        const message = make();
        const arrays = [...Object.values(message.x), message.lengths];
        return { message, transfer: arrays.map(({ buffer }) => buffer as ArrayBuffer) };
      }),
    async end() {
      await pool.end();
      engine.dispose();
    },
  };
}

/** Runs batches in this thread, which others may use in between. */
function direct(model: Model, packer: Packer, dispose: () => void): Runner {
  let last: Promise<unknown> = Promise.resolve();
  const run: Run = (make) => {
    const own = last.then(async () => {
      await new Promise(setImmediate);
      return runPacked(model, make());
    });
    last = own.catch(() => {});
    return own;
  };
  return {
    packer,
    run,
    async end() {
      await last;
      dispose();
    },
  };
}

class Scoring<R> {
  readonly #records: Iterable<R> | AsyncIterable<R>;
  readonly #settings: Settings<R>;
  #runner!: Runner;
  /** Records that wait for others, and the numbers of their inputs. */
  #window: Entry<R>[] = [];
  #windowNumbers = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Results to give, by index; `undefined` of skipped ones. */
  readonly #done = new Map<number, ScoreResult<R> | undefined>();
  #next = 0;
  /** Records that were read and not yet given back, and their numbers. */
  readonly #numbers = new Map<number, number>();
  #held = 0;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;
  readonly #waiters: (() => void)[] = [];
  #progress = { records: 0, skipped: 0, steps: 0 };
  readonly #start = performance.now();

  constructor(records: Iterable<R> | AsyncIterable<R>, settings: Settings<R>) {
    this.#records = records;
    this.#settings = settings;
  }

  async *results(): AsyncGenerator<ScoreResult<R>, void, undefined> {
    const { signal } = this.#settings;
    if (signal?.aborted) throw signal.reason;
    const abort = (): void => this.#fail(signal!.reason);
    this.#runner = await runnerOf(this.#settings);
    signal?.addEventListener('abort', abort);
    // Idle workers keep no process alive, but a run does.
    const alive = setInterval(() => {}, 2 ** 30);
    void this.#read();
    try {
      for (;;) {
        if (this.#failure) throw this.#failure.error;
        const result = this.#take();
        if (result) yield result;
        else if (this.#hasEnded && this.#numbers.size === 0) return;
        else await this.#changed();
      }
    } finally {
      this.#isOver = true;
      this.#change();
      clearInterval(alive);
      clearTimeout(this.#timer);
      signal?.removeEventListener('abort', abort);
      await this.#runner.end();
    }
  }

  /** The next result that may be given. */
  #take(): ScoreResult<R> | undefined {
    for (const index of this.#settings.ordered
      ? [this.#next]
      : [...this.#done.keys()].slice(0, 1)) {
      if (!this.#done.has(index)) return undefined;
      const result = this.#done.get(index);
      this.#done.delete(index);
      this.#held -= this.#numbers.get(index)!;
      this.#numbers.delete(index);
      this.#next++;
      this.#change();
      return result ?? this.#take();
    }
    return undefined;
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #change(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#change();
  }

  get #isDone(): boolean {
    return this.#isOver || this.#failure !== undefined;
  }

  /** Whether more records may be read. */
  get #isFull(): boolean {
    const { batch, workers } = this.#settings;
    const most = batch * Math.max(WINDOWS * WINDOW, 4 * workers);
    return this.#numbers.size >= most || this.#held >= WINDOWS * WINDOW_NUMBERS;
  }

  /** Reads records, and sends them on in windows. */
  async #read(): Promise<void> {
    const { batch } = this.#settings;
    const records = this.#records;
    let iterator: Iterator<R> | AsyncIterator<R> | undefined;
    try {
      iterator =
        Symbol.asyncIterator in records
          ? records[Symbol.asyncIterator]()
          : records[Symbol.iterator]();
      for (let index = 0; ; index++) {
        while (this.#isFull && !this.#isDone) await this.#changed();
        if (this.#isDone) return;
        const step = iterator.next();
        const { done, value } = 'then' in step ? await step : step;
        if (done) break;
        this.#add(index, value);
        const isLong = this.#windowNumbers >= WINDOW_NUMBERS;
        if (this.#window.length >= batch * WINDOW || isLong) this.#flush();
      }
      iterator = undefined;
      this.#flush();
      this.#hasEnded = true;
      this.#change();
    } catch (error) {
      iterator = undefined;
      this.#fail(error);
    } finally {
      // The source may have files to close.
      await Promise.resolve(iterator?.return?.()).catch(() => {});
    }
  }

  #add(index: number, record: R): void {
    const { input, maxLatency } = this.#settings;
    this.#numbers.set(index, 0);
    let sequence: Sequence;
    try {
      sequence = this.#runner.packer.read(input(record));
    } catch (error) {
      return this.#skip(index, record, error);
    }
    const numbers = sequence.x.reduce((sum, { length }) => sum + length, 0);
    this.#numbers.set(index, numbers);
    this.#held += numbers;
    this.#windowNumbers += numbers;
    this.#window.push({ index, record, sequence });
    if (this.#timer || maxLatency === Infinity) return;
    this.#timer = setTimeout(() => this.#flush(), maxLatency);
  }

  /** Sends all records that wait. */
  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const entries = this.#window;
    this.#window = [];
    this.#windowNumbers = 0;
    if (this.#isDone) return;
    const batches = this.#runner.packer.plan(entries.map(({ sequence }) => sequence.steps));
    for (const batch of batches) void this.#score(batch.map((k) => entries[k]!));
  }

  async #score(entries: readonly Entry<R>[]): Promise<void> {
    const { packer, run } = this.#runner;
    try {
      const sequences = entries.map(({ sequence }) => sequence);
      let packed: Packed;
      const outputs = await run(() => (packed = packer.pack(sequences)));
      const { steps } = packed!;
      const lengths = Int32Array.from(sequences, (sequence) => sequence.steps);
      const each = packer.unpack({ x: {}, steps, lengths }, outputs, entries.length);
      for (const [k, { index, record, sequence }] of entries.entries()) {
        const own = packer.named(each[k]!);
        this.#done.set(index, { index, record, output: each[k]![0]!, outputs: own });
        this.#progress.steps += sequence.steps;
        this.#progress.records++;
      }
      this.#tell();
      this.#change();
    } catch (error) {
      if (this.#isDone) return;
      const failure = this.#runner.failure?.();
      if (failure) return this.#fail(failure);
      if (entries.length === 1) return this.#skip(entries[0]!.index, entries[0]!.record, error);
      // One of them is too long for the memory, or ends workers: which?
      const half = entries.length >> 1;
      void this.#score(entries.slice(0, half));
      void this.#score(entries.slice(half));
    }
  }

  #skip(index: number, record: R, error: unknown): void {
    const { onBadRecord } = this.#settings;
    try {
      if (!(error instanceof GatefoldError)) throw error;
      if (!onBadRecord) throw new GatefoldError(error.code, `record ${index}: ${error.message}`);
      onBadRecord({ index, record, error });
      this.#progress.skipped++;
      this.#done.set(index, undefined);
      this.#tell();
      this.#change();
    } catch (reason) {
      this.#fail(reason);
    }
  }

  #tell(): void {
    const seconds = (performance.now() - this.#start) / 1e3;
    try {
      this.#settings.onProgress?.({ ...this.#progress, seconds });
    } catch (error) {
      this.#fail(error);
    }
  }
}
