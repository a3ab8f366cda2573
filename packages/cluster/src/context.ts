/** What a producer or worker works with. */

// Models of ONNX may have layers of programs, which this alone brings.
import 'gatefold/formats/onnx';
import { loadModel } from 'gatefold/formats/safetensors';
import { Engine } from 'gatefold/node';
import type { ModelOutput } from 'gatefold/node';
import type { Redis } from 'ioredis';
import { checkName, parseAddress } from './address.ts';
import { Blobs } from './blobs.ts';
import { refuse } from './errors.ts';
import type { Simd } from './jobs.ts';
import { Scorer } from './scorer.ts';
import type { IndexSources } from './source.ts';
import { RedisStore, Stores, openStore } from './store.ts';
import type { NamedStore } from './store.ts';

/** What a machine allows: no job reaches more. */
export interface Settings {
  /** Folders and `s3://` by name. The name `redis` is always there: values in the Redis itself. */
  readonly stores?: Readonly<Record<string, string>>;
  /** The same of stores that are never written to. */
  readonly readOnly?: Readonly<Record<string, string>>;
  /** Where models, texts and parameters go by their hash; default `redis:blobs`. */
  readonly blobs?: string;
  /** Hashes of the only models that may be run; default all of the blobs. */
  readonly onlyModels?: readonly string[];
  /** Name of the queue; default `gatefold`. */
  readonly queue?: string;
  /** Threads that score; default one a core. */
  readonly threads?: number;
  /** Bytes of a blob at most; default 1 GiB. */
  readonly maxBlobBytes?: number;
  /** Bytes of the engine of a model that is trained, and of the passes of a thread that scores. */
  readonly maxEngineBytes?: number;
  /** Records by index that jobs may name. */
  readonly sources?: IndexSources;
}

export const DEFAULT_QUEUE = 'gatefold';

/** A model that is being run. */
interface Running {
  readonly scorer: Scorer;
  readonly outputs: readonly ModelOutput[];
}

/** Models whose threads stay. */
const MAX_RUNNING = 2;

export class Context {
  readonly stores: Stores;
  readonly blobs: Blobs;
  readonly sources: IndexSources;
  readonly settings: Settings;
  readonly #running = new Map<string, Promise<Running>>();

  constructor(settings: Settings, redis: Redis) {
    const { stores = {}, readOnly = {}, queue = DEFAULT_QUEUE } = settings;
    const named = new Map<string, NamedStore>();
    const add = (name: string, own: NamedStore): void => {
      if (named.has(checkName('store', name))) refuse(`there are two stores ${name}`);
      named.set(name, own);
    };
    add('redis', {
      store: new RedisStore(redis, `${checkName('queue', queue)}:store:`),
      isReadOnly: false,
    });
    for (const [urls, isReadOnly] of [
      [stores, false],
      [readOnly, true],
    ] as const) {
      for (const [name, url] of Object.entries(urls)) {
        add(name, { store: openStore(url), isReadOnly });
      }
    }
    const prefix = settings.blobs ?? 'redis:blobs';
    parseAddress('blobs', prefix);
    this.stores = new Stores(named);
    this.blobs = new Blobs(this.stores, prefix, settings.maxBlobBytes ?? 2 ** 30);
    this.sources = settings.sources ?? {};
    this.settings = settings;
  }

  /** What runs a model; its threads are there already where it ran before. */
  async running(hash: string, simd: Simd): Promise<Running> {
    const { onlyModels } = this.settings;
    if (onlyModels && !onlyModels.includes(hash)) refuse(`this worker may not run model ${hash}`);
    const key = `${hash} ${simd}`;
    const own = this.#running.get(key) ?? this.#start(hash, simd);
    this.#running.delete(key);
    this.#running.set(key, own);
    for (const [oldest, other] of this.#running) {
      if (this.#running.size <= MAX_RUNNING) break;
      this.#running.delete(oldest);
      void other.then(({ scorer }) => scorer.end()).catch(() => {});
    }
    try {
      return await own;
    } catch (error) {
      this.#running.delete(key);
      throw error;
    }
  }

  async #start(hash: string, simd: Simd): Promise<Running> {
    const bytes = await this.blobs.get(hash);
    const engine = await Engine.create();
    const { outputs } = loadModel(engine, bytes);
    engine.dispose();
    const { threads, maxEngineBytes: maxBytes } = this.settings;
    return { scorer: new Scorer(bytes, { simd, threads, maxBytes }), outputs };
  }

  /** Ends all threads. */
  async end(): Promise<void> {
    const all = await Promise.allSettled(this.#running.values());
    await Promise.all(all.map((one) => one.status === 'fulfilled' && one.value.scorer.end()));
  }
}
