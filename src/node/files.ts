/** Files of Node, Deno and Bun. */

import { open, stat } from 'node:fs/promises';
import process from 'node:process';
import { GatefoldError, printable } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { Checkpoint } from '../training/fit-options.ts';
import { readTrainer, saveTrainer } from '../formats/gatefold.ts';
import type { Trainer } from '../training/trainer.ts';
import type { Snapshot } from '../training/options.ts';
import { kindOfFile, replace } from './replace.ts';

/**
 * Writes the whole file or nothing: after a crash or a loss of power there is the old file or the
 * new one. Links are followed, the permissions of the old file are kept, and what killed processes
 * left behind when they wrote this file is removed.
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await replace(path, bytes);
}

/** Most bytes that one call of Node reads. */
const MAX_READ = 2 ** 30;

/**
 * The bytes of a file, of any size that memory takes: Node's own `readFile` ends at 2 GiB. A pipe
 * is read to its end; a device, which may have none, is refused.
 */
export async function readWhole(path: string): Promise<Uint8Array> {
  const kind = kindOfFile(await stat(path));
  if (kind !== undefined && kind !== 'a pipe') {
    throw new GatefoldError('ERR_ARGUMENT', `"path" expected a file, and ${path} is ${kind}`);
  }
  const handle = await open(path, 'r');
  try {
    const stats = await handle.stat();
    // Those that the system makes up as they are read say 0.
    if (!stats.isFile() || stats.size === 0) return await handle.readFile();
    const bytes = allocate(path, stats.size);
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, MAX_READ), at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  } finally {
    await handle.close();
  }
}

function allocate(path: string, size: number): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch {
    const message = `${path} has ${size} bytes, more than this host gives memory for`;
    throw new GatefoldError('ERR_MEMORY', message);
  }
}

/** What may be the fault of a file; the rest is the caller's. */
const OF_FILES: ReadonlySet<ErrorCode> = new Set(['ERR_FORMAT', 'ERR_MEMORY', 'ERR_UNSUPPORTED']);

/** Runs what reads a file, and lets the message of a refusal name it. */
export function naming<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GatefoldError) || !OF_FILES.has(error.code)) throw error;
    const joint = /^not? /.test(error.message) ? ' is' : ':';
    throw new GatefoldError(error.code, `${path}${joint} ${error.message}`);
  }
}

/** A run of `fit` in a file. */
export interface CheckpointFile extends Checkpoint {
  /** What the file was given last, for `resume`; `undefined` where there is no such file yet. */
  load(): Promise<Snapshot | undefined>;
}

/**
 * The file that a run of `trainer.fit` is kept in, and goes on from bit for bit. `loadModelFile`
 * reads it too: the best parameters where `keepBest` knows them, the last ones elsewhere.
 *
 * @example
 *   const file = checkpointFile('run.safetensors', trainer);
 *   await trainer.fit(data, { epochs: 10, checkpoint: file, resume: await file.load() });
 */
export function checkpointFile(
  path: string,
  trainer: Trainer,
  options: Pick<Checkpoint, 'every'> = {},
): CheckpointFile {
  return {
    ...options,
    async save(snapshot) {
      await writeWhole(path, saveTrainer(trainer, { snapshot }));
    },
    async load() {
      let bytes: Uint8Array;
      try {
        bytes = await readWhole(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
      const { snapshot } = naming(path, () => readTrainer(trainer, bytes));
      const { variant: simd } = trainer.model.engine;
      if (snapshot.metadata.simd !== simd) {
        const from = `${path} began on ${snapshot.metadata.simd} SIMD`;
        process.emitWarning(
          printable(`${from} and goes on with ${simd}: the last bits will differ`),
        );
      }
      return snapshot;
    },
  };
}
