import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { GatefoldError } from '../base/errors.ts';
import { writeWhole } from '../node/index.ts';
import { fail, reasonOf } from './failure.ts';

/** Fails now rather than after the training, where a file could not be written. */
export function checkWritable(path: string): void {
  const folder = dirname(path);
  try {
    if (!statSync(folder).isDirectory()) fail(`${folder} is no folder: choose another --out`);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    fail(`cannot write to the folder ${folder}: ${reasonOf(error)}; choose another --out`);
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    fail(`${path} is a folder: choose another --out`);
  }
}

/** Writes the whole file or, with a message, nothing. */
export async function save(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeWhole(path, bytes);
  } catch (error) {
    fail(`cannot write ${path}: ${reasonOf(error)}; choose another --out`);
  }
}

export function readModelFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    return fail(`cannot read ${path}: ${reasonOf(error)}; name a file that gatefold train saved`);
  }
}
