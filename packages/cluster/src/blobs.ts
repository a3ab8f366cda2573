/** Models, texts and configurations by the hash of their bytes. */

import { createHash } from 'node:crypto';
import { missing, refuse, show } from './errors.ts';
import type { Stores } from './store.ts';

const HASH = /^[0-9a-f]{64}$/;
const MAX_CACHED = 256 * 2 ** 20;

export function hashOf(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The hash of plain data, whatever the order of its keys. */
export function hashOfData(value: unknown): string {
  return hashOf(JSON.stringify(value, (_, own: unknown) => (isPlain(own) ? sorted(own) : own)));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function checkHash(what: string, value: unknown): string {
  if (typeof value === 'string' && HASH.test(value)) return value;
  return refuse(`"${what}" expected a hash of 64 hexadecimal digits, got ${show(value)}`);
}

/** Refuses bytes that are not those which were named. */
export function checkBytes(what: string, bytes: Uint8Array, hash: string): Uint8Array {
  if (hashOf(bytes) === hash) return bytes;
  return refuse(`${what} has other bytes than when it was named`);
}

export class Blobs {
  readonly #stores: Stores;
  readonly #prefix: string;
  readonly #maxBytes: number;
  /** The ones used last, the oldest first. */
  readonly #cache = new Map<string, Uint8Array>();
  #cached = 0;

  /** @param prefix address of a folder of them, such as `redis:blobs`. */
  constructor(stores: Stores, prefix: string, maxBytes: number) {
    this.#stores = stores;
    this.#prefix = prefix;
    this.#maxBytes = maxBytes;
  }

  /** @param folder of its own for what will be removed, so that nobody else loses it. */
  #at(hash: string, folder: string): string {
    return `${this.#prefix}/${folder && `${folder}/`}${checkHash('hash', hash)}`;
  }

  async put(bytes: Uint8Array, folder = ''): Promise<string> {
    const hash = hashOf(bytes);
    const address = this.#at(hash, folder);
    if ((await this.#stores.size(address)) !== bytes.length) {
      await this.#stores.write(address, bytes);
    }
    return hash;
  }

  async has(hash: string, folder = ''): Promise<boolean> {
    return (await this.#stores.size(this.#at(hash, folder))) !== undefined;
  }

  async remove(hash: string, folder: string): Promise<void> {
    await this.#stores.remove(this.#at(hash, folder));
  }

  async get(hash: string, folder = ''): Promise<Uint8Array> {
    const address = this.#at(hash, folder);
    let bytes = this.#cache.get(hash);
    if (bytes) this.#cache.delete(hash);
    else {
      const size = (await this.#stores.size(address)) ?? missing(address);
      if (size > this.#maxBytes) refuse(`${address} has ${size} bytes, above ${this.#maxBytes}`);
      bytes = checkBytes(address, await this.#stores.read(address), hash);
      // Another job may have read it at the same time.
      if (!this.#cache.has(hash)) this.#cached += bytes.length;
    }
    this.#cache.set(hash, bytes);
    for (const [oldest, { length }] of this.#cache) {
      if (this.#cached <= MAX_CACHED || oldest === hash) break;
      this.#cache.delete(oldest);
      this.#cached -= length;
    }
    return bytes;
  }
}
