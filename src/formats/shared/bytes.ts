import { isBuffer, isOf, owned } from '../../base/arrays.ts';
import { GatefoldError } from '../../base/errors.ts';

/**
 * The bytes through a plain view: `slice` of Node's Buffer does not copy. Nobody changes them while
 * they are read.
 */
export function asBytes(source: unknown): Uint8Array {
  if (isOf('Uint8Array', source)) return owned('Uint8Array', source);
  try {
    if (isBuffer(source)) return new Uint8Array(source);
  } catch {
    // A buffer that has been transferred away takes no view.
  }
  const message =
    '"bytes" expected the file as a Uint8Array or an ArrayBuffer that has not been transferred';
  throw new GatefoldError('ERR_ARGUMENT', message);
}
