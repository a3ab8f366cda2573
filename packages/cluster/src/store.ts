/** Where inputs, outputs and checkpoints are: a folder, Redis, or S3. */

import { statSync } from 'node:fs';
import { lstat, mkdir, open, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { writeWhole } from 'gatefold/node';
import type { Redis } from 'ioredis';
import { checkKey, parseAddress } from './address.ts';
import { missing, refuse } from './errors.ts';

/** Values by key. Who calls has checked the key. */
export interface Store {
  /** Bytes of a value, `undefined` where there is none. */
  size(key: string): Promise<number | undefined>;
  /** Bytes `from` to before `to`, fewer at the end of the value; default all of it. */
  read(key: string, from?: number, to?: number): Promise<Uint8Array>;
  /** Afterwards the whole value is there; after a crash either that or the one before. */
  write(key: string, bytes: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
}

/** Files below a folder, written beside, flushed and renamed. */
export class FolderStore implements Store {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The path of a key. Links inside of the folder lead nowhere else. */
  async #path(key: string, creates = false): Promise<string> {
    const path = join(this.#folder, key);
    const root = await realpath(this.#folder);
    // The nearest folder that is there already, before any is made in it.
    for (let at = dirname(path); ; at = dirname(at)) {
      const real = await realpath(at).catch(() => undefined);
      if (real === undefined) continue;
      if (real !== root && !real.startsWith(root + sep)) refuse(`${key} leads out of its store`);
      break;
    }
    if (creates) await mkdir(dirname(path), { recursive: true });
    const stats = await lstat(path).catch(() => undefined);
    if (stats && !stats.isFile()) refuse(`${key} is no file`);
    return path;
  }

  async size(key: string): Promise<number | undefined> {
    const path = await this.#path(key);
    try {
      return (await stat(path)).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async read(key: string, from = 0, to = Infinity): Promise<Uint8Array> {
    const size = (await this.size(key)) ?? missing(key);
    const bytes = new Uint8Array(Math.max(0, Math.min(size, to) - from));
    const handle = await open(await this.#path(key), 'r');
    try {
      let at = 0;
      while (at < bytes.length) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, from + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return bytes.subarray(0, at);
    } finally {
      await handle.close();
    }
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await writeWhole(await this.#path(key, true), bytes);
  }

  async remove(key: string): Promise<void> {
    await rm(await this.#path(key), { force: true });
  }
}

/** Values of the Redis that has the queue. */
export class RedisStore implements Store {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async size(key: string): Promise<number | undefined> {
    const [length, exists] = await Promise.all([
      this.#redis.strlen(this.#prefix + key),
      this.#redis.exists(this.#prefix + key),
    ]);
    return exists ? length : undefined;
  }

  async read(key: string, from = 0, to = Infinity): Promise<Uint8Array> {
    const own = this.#prefix + key;
    if (from === 0 && to === Infinity) return (await this.#redis.getBuffer(own)) ?? missing(key);
    if ((await this.size(key)) === undefined) missing(key);
    if (to <= from) return new Uint8Array();
    // Ends of GETRANGE are part of what is read.
    return this.#redis.getrangeBuffer(own, from, to === Infinity ? -1 : to - 1);
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await this.#redis.set(this.#prefix + key, Buffer.from(bytes));
  }

  async remove(key: string): Promise<void> {
    await this.#redis.del(this.#prefix + key);
  }
}

/** Objects of a bucket. Credentials come from where those of the AWS command come from. */
export class S3Store implements Store {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(url: URL) {
    const endpoint = url.searchParams.get('endpoint');
    this.#client = new S3Client({
      ...(endpoint && { endpoint, forcePathStyle: true }),
      region: url.searchParams.get('region') ?? process.env.AWS_REGION ?? 'us-east-1',
      // Servers other than Amazon's know no checksums in trailers.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    this.#bucket = url.hostname;
    const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
    this.#prefix = prefix && `${checkKey(prefix)}/`;
  }

  #of(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async size(key: string): Promise<number | undefined> {
    try {
      return (await this.#client.send(new HeadObjectCommand(this.#of(key)))).ContentLength;
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async read(key: string, from = 0, to = Infinity): Promise<Uint8Array> {
    if (to <= from) return new Uint8Array();
    const isAll = from === 0 && to === Infinity;
    const Range = isAll ? undefined : `bytes=${from}-${to === Infinity ? '' : to - 1}`;
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ ...this.#of(key), Range }));
      return await Body!.transformToByteArray();
    } catch (error) {
      // A range that begins after the end.
      if (statusOf(error) === 416) return new Uint8Array();
      if (statusOf(error) === 404) missing(key);
      throw error;
    }
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await this.#client.send(new PutObjectCommand({ ...this.#of(key), Body: bytes }));
  }

  async remove(key: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand(this.#of(key)));
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** What a store is made from: a folder, or `s3://bucket/prefix?endpoint=URL&region=NAME`. */
export function openStore(url: string): Store {
  if (url.startsWith('s3://')) return new S3Store(new URL(url));
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(url) && !url.startsWith('file://')) {
    return refuse(`a store is a folder or s3://bucket/prefix, got ${url}`);
  }
  const folder = url.startsWith('file://') ? fileURLToPath(url) : url;
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    return refuse(`there is no folder ${folder}`);
  }
  return new FolderStore(folder);
}

export interface NamedStore {
  readonly store: Store;
  readonly isReadOnly: boolean;
}

/** The stores of a configuration by name: all that a job can reach. */
export class Stores {
  readonly #stores: ReadonlyMap<string, NamedStore>;
  /** Bytes so far, for metrics. */
  bytesRead = 0;
  bytesWritten = 0;

  constructor(stores: ReadonlyMap<string, NamedStore>) {
    this.#stores = stores;
  }

  #at(address: string, isWrite: boolean): { store: Store; key: string } {
    const { store: name, key } = parseAddress('address', address);
    const own = this.#stores.get(name);
    if (!own) return refuse(`this worker has no store ${name}`);
    if (isWrite && own.isReadOnly) return refuse(`the store ${name} is for reading`);
    return { store: own.store, key };
  }

  size(address: string): Promise<number | undefined> {
    const { store, key } = this.#at(address, false);
    return store.size(key);
  }

  async read(address: string, from?: number, to?: number): Promise<Uint8Array> {
    const { store, key } = this.#at(address, false);
    const bytes = await store.read(key, from, to);
    this.bytesRead += bytes.length;
    return bytes;
  }

  async write(address: string, bytes: Uint8Array): Promise<void> {
    const { store, key } = this.#at(address, true);
    await store.write(key, bytes);
    this.bytesWritten += bytes.length;
  }

  async remove(address: string): Promise<void> {
    const { store, key } = this.#at(address, true);
    await store.remove(key);
  }
}
