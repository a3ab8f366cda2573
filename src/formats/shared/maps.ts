import { show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';

/** Whether a value is a map, of any realm. */
export function isAnyMap(value: unknown): value is ReadonlyMap<unknown, unknown> {
  return Object.prototype.toString.call(value) === '[object Map]';
}

/** A map, as it is, or an error that names the argument; `meaning` is what it maps to what. */
export function checkMap<T>(name: string, value: T, meaning: string): T {
  if (isAnyMap(value)) return value;
  const message = `"${name}" expected a Map from ${meaning}, got ${show(value)}`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}
