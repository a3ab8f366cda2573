import { constants, fstatSync, statSync } from 'node:fs';
import { access, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { GatefoldError } from '../base/errors.ts';
import { readWhole, writeWhole } from '../node/files.ts';
import { kindOfFile, targetOf } from '../node/replace.ts';
import { fail, reasonOf } from './failure.ts';

/** Most bytes of a model file: four times those of the largest model, as a run with Adam has. */
const MAX_MODEL_BYTES = 2 ** 32;

interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** Which file a path leads to, by whatever name or link; `undefined` where there is none. */
function identityOf(path: string): Identity | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

const isSame = (a: Identity, b: Identity | undefined): boolean =>
  b !== undefined && a.dev === b.dev && a.ino === b.ino;

/** Whether a path is the file that the output or the errors go to. */
function isOutput(file: Identity): boolean {
  return [1, 2].some((descriptor) => {
    try {
      return isSame(file, fstatSync(descriptor, { bigint: true }));
    } catch {
      return false;
    }
  });
}

/**
 * Fails now rather than after the training, where a file could not be written, or would replace
 * one of those that are read.
 */
export async function checkWritable(path: string, inputs: readonly string[]): Promise<void> {
  const another = 'choose another --out';
  const stats = statSync(path, { throwIfNoEntry: false, bigint: false });
  if (stats?.isDirectory()) fail(`${path} is a folder: ${another}`);
  const kind = stats && kindOfFile(stats);
  if (kind) fail(`${path} is ${kind}, which keeps no file: ${another}`);
  let folder = dirname(path);
  try {
    if (stats) await access(path, constants.W_OK);
  } catch (error) {
    fail(`cannot write ${path}: ${reasonOf(error)}; ${another}`);
  }
  try {
    folder = dirname((await targetOf(path)).path);
    if (!statSync(folder).isDirectory()) fail(`${folder} is no folder: ${another}`);
    await access(folder, constants.W_OK);
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    fail(`cannot write to the folder ${folder}: ${reasonOf(error)}; ${another}`);
  }
  const file = stats && identityOf(path);
  if (!file) return;
  const input = inputs.find((name) => isSame(file, identityOf(name)));
  if (input !== undefined) fail(`--out ${path} would replace ${input}, which is read: ${another}`);
  if (isOutput(file)) fail(`--out ${path} is where the output goes: ${another}`);
}

/** Writes the whole file or nothing; gives the reason where it is nothing. */
export async function trySave(path: string, bytes: Uint8Array): Promise<string | undefined> {
  try {
    await writeWhole(path, bytes);
    return undefined;
  } catch (error) {
    if (error instanceof GatefoldError) return error.message;
    return reasonOf(error);
  }
}

/** Writes the whole file or, with a message, nothing. */
export async function save(path: string, bytes: Uint8Array): Promise<void> {
  const reason = await trySave(path, bytes);
  if (reason) fail(`cannot write ${path}: ${reason}; choose another --out`);
}

/** Writes what has no other place to a fresh folder for temporary files, and says where. */
export async function rescue(path: string, bytes: Uint8Array): Promise<string | undefined> {
  try {
    const place = join(await mkdtemp(join(tmpdir(), 'gatefold-')), basename(path));
    return (await trySave(place, bytes)) === undefined ? place : undefined;
  } catch {
    return undefined;
  }
}

export async function readModelFile(path: string): Promise<Uint8Array> {
  const fix = 'name a file that gatefold train saved';
  try {
    const stats = statSync(path);
    const kind = kindOfFile(stats);
    if (kind && kind !== 'a pipe') fail(`${path} is ${kind}: ${fix}`);
    if (stats.size > MAX_MODEL_BYTES)
      fail(`${path} is no model, it has ${stats.size} bytes: ${fix}`);
    return await readWhole(path);
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    return fail(`cannot read ${path}: ${reasonOf(error)}; ${fix}`);
  }
}
