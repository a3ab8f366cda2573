// States of sessions that no process has open, as files: whichever process opens a session next
// takes its states up.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const lists = (layers, convert) =>
  Object.fromEntries(
    Object.entries(layers).map(([layer, states]) => [
      layer,
      Object.fromEntries(Object.entries(states).map(([name, own]) => [name, convert(own)])),
    ]),
  );

export class States {
  #folder;

  constructor(folder) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
  }

  #path(id) {
    // Ids come from clients.
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw new Error('no such session');
    return join(this.#folder, `${id}.json`);
  }

  /** The states after so many steps; a file is written whole or not at all. */
  async save(id, { steps, state }) {
    const path = this.#path(id);
    const part = `${path}.${randomUUID()}`;
    // Float32 numbers have the same bits after a way through JSON.
    await writeFile(part, JSON.stringify({ steps, state: lists(state, (own) => [...own]) }));
    await rename(part, path);
  }

  /** Of two processes that try, one gets them. */
  async take(id) {
    const path = this.#path(id);
    const taken = `${path}.${randomUUID()}`;
    try {
      await rename(path, taken);
    } catch {
      throw new Error('no such session');
    }
    const { steps, state } = JSON.parse(await readFile(taken, 'utf8'));
    await rm(taken);
    return { steps, state: lists(state, (own) => Float32Array.from(own)) };
  }
}
