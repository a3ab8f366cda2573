import { GatefoldError } from '../base/errors.ts';

/** What the shell sees after bad input; commander's own errors get the same. */
export const STATUS_BAD_INPUT = 2;
/** After output, or a file, that could not be written. */
export const STATUS_NOT_WRITTEN = 1;

/** Bad input: the message is one line, says what is wrong and names the fix. */
export function fail(message: string): never {
  throw new GatefoldError('ERR_ARGUMENT', message);
}

/** Reasons in words: most people do not know `EACCES`. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EROFS: 'what it is on can only be read',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'it would be larger than is allowed',
  EIO: 'the disk reports an error',
  EBUSY: 'something else holds it',
  ETXTBSY: 'something else holds it',
  ELOOP: 'its links go round in a circle',
  ENAMETOOLONG: 'its name is too long',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ENXIO: 'nothing is at its other end',
};

/** Why an operation on a file failed. */
export function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? String(error) : (REASONS[code] ?? code);
}
