import { GatefoldError } from '../base/errors.ts';

/** What the shell sees after bad input; commander's own errors get the same. */
export const STATUS_BAD_INPUT = 2;

/** Bad input: the message is one line, says what is wrong and names the fix. */
export function fail(message: string): never {
  throw new GatefoldError('ERR_ARGUMENT', message);
}

/** Why an operation on a file failed, in words: most people do not know `EACCES`. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'ENOTDIR') return 'a part of its path is no folder';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission';
  if (code === 'ENOSPC') return 'the disk is full';
  return code ?? String(error);
}
