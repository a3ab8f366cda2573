import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';
import { readWhole } from '../../node/files.ts';
import { fail, reasonOf } from '../failure.ts';

/** Numbers with a shape, row-major. */
export interface NumberArray {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** The bytes of a file that somebody has named. */
export async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await readWhole(path);
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    return fail(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** The JSON of a file. */
export async function readJson(path: string): Promise<unknown> {
  const text = decodeUtf8(await readFile(path));
  try {
    return JSON.parse(text ?? '');
  } catch {
    return fail(`${path} is not JSON`);
  }
}
