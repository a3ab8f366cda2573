/** Configurations of Keras: JSON of which nothing is known, read key by key. */
import { GatefoldError, shorten } from '../../base/errors.ts';
import { scanJson } from '../shared/json-scan.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Most characters, and levels, of one configuration. */
const MAX_TEXT = 2 ** 21;
const MAX_DEPTH = 100;
const EMPTY: Json = Object.freeze(Object.create(null) as Json);

export function damaged(problem: string): never {
  const fix = 'save the model again';
  throw new GatefoldError('ERR_FORMAT', `not a Keras model to trust: ${problem}; ${fix}`);
}

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What an object has under a key of its own. */
export function own(record: unknown, key: string): unknown {
  return isRecord(record) && Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The same, which is an object; an empty one where it is none. */
export function recordOf(record: unknown, key: string): Json {
  const value = own(record, key);
  return isRecord(value) ? value : EMPTY;
}

export function listOf(record: unknown, key: string): readonly unknown[] {
  const value = own(record, key);
  return Array.isArray(value) ? value : [];
}

export function textOf(record: unknown, key: string): string | undefined {
  const value = own(record, key);
  return typeof value === 'string' ? value : undefined;
}

export function flagOf(record: unknown, key: string, otherwise: boolean): boolean {
  const value = own(record, key);
  return typeof value === 'boolean' ? value : otherwise;
}

/** A number, also as the only one of a list. */
export function numberOf(record: unknown, key: string): number | undefined {
  const value = own(record, key);
  const only: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return typeof only === 'number' ? only : undefined;
}

/** Python writes numbers that are not finite as words that JSON has not. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*(?:"|$)|-?\bInfinity\b|\bNaN\b/gs;

/** A JSON text; `what` says whose. */
export function parseJson(text: string, what: string): unknown {
  if (text.length > MAX_TEXT) {
    const message = `${what} has ${text.length} characters, above the limit of ${MAX_TEXT}`;
    throw new GatefoldError('ERR_MEMORY', message);
  }
  const plain = /\b(?:NaN|Infinity)\b/.test(text)
    ? text.replace(TOKEN, (token) => (token.startsWith('"') ? token : 'null'))
    : text;
  const fault = scanJson(plain, MAX_DEPTH, () => true);
  if (fault !== undefined) damaged(`${what} ${fault}`);
  try {
    return JSON.parse(plain);
  } catch {
    return damaged(`${what} is not valid JSON`);
  }
}

/** A name out of a file, as messages show it. */
export const quoted = (name: string): string => `"${shorten(name)}"`;
