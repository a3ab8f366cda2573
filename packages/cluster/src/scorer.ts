/**
 * One `scoreSequences` for all shards of a model that a worker has at once: its threads stay, and
 * records of several shards share batches. Results have the same bits in any batch.
 */

import { scoreSequences } from 'gatefold/node';
import type { GatefoldError, ScoreResult } from 'gatefold/node';
import type { RecordRead } from './source.ts';

export interface ScorerOptions {
  readonly simd: 'auto' | 'deterministic';
  /** Default one a core. */
  readonly threads?: number;
  /** Bytes of memory of each thread for its passes. */
  readonly maxBytes?: number;
}

/** A record with a result, or with what is wrong with it. */
export interface Scored {
  readonly id?: string;
  readonly outputs?: Readonly<Record<string, Float32Array>>;
  readonly error?: string;
}

/** Records of one call of `score`. */
interface Lot {
  readonly records: Iterator<RecordRead>;
  readonly results: Scored[];
  /** Records that were read, of which some have no result yet. */
  read: number;
  waiting: number;
  isRead: boolean;
  readonly resolve: (results: Scored[]) => void;
  readonly reject: (error: unknown) => void;
}

interface Item {
  readonly lot: Lot;
  readonly index: number;
  readonly record: RecordRead;
}

/** Milliseconds for which the last records of a shard wait for those of another. */
const MAX_LATENCY_MS = 20;
/** Milliseconds for which reading records may keep the locks of jobs from being renewed. */
const MAX_BLOCKED_MS = 20;

export class Scorer {
  readonly #model: Uint8Array;
  readonly #options: ScorerOptions;
  readonly #lots: Lot[] = [];
  #wake: () => void = () => {};
  #running: Promise<void> | undefined;
  #isOver = false;

  /** @param model bytes of `saveModel`. */
  constructor(model: Uint8Array, options: ScorerOptions) {
    this.#model = model;
    this.#options = options;
  }

  /** Results in the order of the records. */
  score(records: Iterable<RecordRead>): Promise<Scored[]> {
    return new Promise((resolve, reject) => {
      const iterator = records[Symbol.iterator]();
      const counts = { read: 0, waiting: 0, isRead: false };
      this.#lots.push({ records: iterator, results: [], ...counts, resolve, reject });
      this.#running ??= this.#run();
      this.#wake();
    });
  }

  /** Ends the threads, once all records have results. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { simd, threads, maxBytes } = this.#options;
    try {
      const results = scoreSequences<Item>(this.#items(), {
        modelBytes: this.#model,
        simd,
        workers: threads,
        maxBytes,
        maxLatency: MAX_LATENCY_MS,
        input: ({ record }) => record.x!,
        onBadRecord: ({ record, error }) => this.#take(record, { error: messageOf(error) }),
      });
      for await (const { record, outputs } of results as AsyncIterable<ScoreResult<Item>>) {
        const { id } = record.record;
        this.#take(record, { ...(id !== undefined && { id }), outputs });
      }
    } catch (error) {
      // The shards are tried again, with new threads.
      for (const { reject } of this.#lots.splice(0)) reject(error);
    }
    this.#running = undefined;
  }

  /** Records of all lots, in the order of the lots. */
  async *#items(): AsyncGenerator<Item> {
    for (;;) {
      const lot = this.#lots.find(({ isRead }) => !isRead);
      if (!lot) {
        if (this.#isOver) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      // Its results may all be there before the end of its records is known.
      lot.waiting++;
      let since = performance.now();
      for (let record = next(lot); record; record = next(lot)) {
        if (performance.now() - since > MAX_BLOCKED_MS) {
          await new Promise(setImmediate);
          since = performance.now();
        }
        const item = { lot, index: lot.read++, record };
        lot.waiting++;
        const { error } = record;
        if (error === undefined) yield item;
        else this.#take(item, { error });
      }
      lot.isRead = true;
      this.#finish(lot);
    }
  }

  #take({ lot, index }: Item, scored: Scored): void {
    lot.results[index] = scored;
    this.#finish(lot);
  }

  #finish(lot: Lot): void {
    if (--lot.waiting > 0) return;
    const at = this.#lots.indexOf(lot);
    if (at >= 0) this.#lots.splice(at, 1);
    lot.resolve(lot.results);
  }
}

/** The next record of a lot. A source that fails ends its own lot, and no other. */
function next({ records, reject }: Lot): RecordRead | undefined {
  try {
    const { done, value } = records.next();
    return done ? undefined : value;
  } catch (error) {
    reject(error);
    return undefined;
  }
}

const messageOf = (error: GatefoldError): string => error.message;
