import { checkText } from '../base/check.ts';
import { asBytes } from '../formats/shared/bytes.ts';
import { GatefoldError } from '../base/errors.ts';

const FILES = 'files';

/**
 * Files by name in IndexedDB, for pages and their workers: what `saveModel` and `saveTrainer` give
 * is still there after a reload. A file is always whole, the old one or the new one.
 *
 * @example
 *   const store = new ByteStore('gestures');
 *   await store.write('model', saveModel(model));
 *   const bytes = await store.read('model');
 *   if (bytes) loadModel(engine, bytes);
 */
export class ByteStore {
  /** The name of its database. */
  readonly database: string;

  /** @param database of IndexedDB; every name is a store of its own. */
  constructor(database = 'gatefold') {
    this.database = checkText('database', database);
    if (!globalThis.indexedDB) {
      throw new GatefoldError(
        'ERR_UNSUPPORTED',
        'this host has no IndexedDB; keep the bytes elsewhere',
      );
    }
  }

  /** The bytes of a file; undefined where there is none. */
  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    checkText('name', name);
    return this.#run('readonly', (files) => files.get(name));
  }

  /** Writes a file, or replaces it. */
  async write(name: string, bytes: Uint8Array | ArrayBuffer): Promise<void> {
    checkText('name', name);
    // A view would be kept with all of its buffer.
    const own = asBytes(bytes).slice();
    await this.#run('readwrite', (files) => files.put(own, name));
  }

  /** The names of all files. */
  async names(): Promise<string[]> {
    return this.#run('readonly', (files) => files.getAllKeys() as IDBRequest<string[]>);
  }

  /** Removes a file, where there is one. */
  async remove(name: string): Promise<void> {
    checkText('name', name);
    await this.#run('readwrite', (files) => files.delete(name));
  }

  /**
   * One transaction, on a connection of its own: one that is kept would stop working when the
   * browser closes it, and would keep others from removing the database.
   */
  async #run<T>(
    mode: IDBTransactionMode,
    call: (files: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> {
    const opening = indexedDB.open(this.database, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(FILES);
    const connection = await new Promise<IDBDatabase>((resolve, reject) => {
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(this.#failed(opening.error));
    });
    try {
      return await new Promise<T>((resolve, reject) => {
        const transaction = connection.transaction(FILES, mode, { durability: 'strict' });
        const request = call(transaction.objectStore(FILES));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => reject(this.#failed(transaction.error));
      });
    } catch (error) {
      // Another program's database of this name has no such store.
      throw error instanceof GatefoldError ? error : this.#failed(error as DOMException);
    } finally {
      connection.close();
    }
  }

  #failed(error: DOMException | null): GatefoldError {
    const { name, message } = error ?? { name: 'AbortError', message: '' };
    const reason = `IndexedDB "${this.database}": ${message || name}`;
    return name === 'QuotaExceededError'
      ? new GatefoldError(
          'ERR_MEMORY',
          `${reason}; remove files, or ask for navigator.storage.persist()`,
        )
      : new GatefoldError('ERR_UNSUPPORTED', `${reason}; private windows may have no storage`);
  }
}
