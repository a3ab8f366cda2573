/** Files of Node, Deno and Bun. */

import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { GatefoldError, printable } from '../base/errors.ts';
import type { Checkpoint } from '../training/fit-options.ts';
import { readTrainer, saveTrainer } from '../formats/gatefold.ts';
import type { Trainer } from '../training/trainer.ts';
import type { Snapshot } from '../training/options.ts';

/** Writes the whole file or nothing. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const beside = `${path}.${randomUUID()}.part`;
  try {
    await writeFile(beside, bytes, { flush: true });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Runs what reads a file, and lets the message of a refusal name it. */
export function naming<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    throw new GatefoldError(error.code, `${path} is ${error.message}`);
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
        bytes = await readFile(path);
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
