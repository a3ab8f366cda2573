import { isOf, kindOf, lengthOf, newFloats, owned, viewOf } from './arrays.ts';
import { GatefoldError, shorten } from './errors.ts';

/** The next multiple of `multiple` from `n` on. */
export function roundUp(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}

/** A whole number in a range, or an error that names the argument. */
export function checkInteger(
  name: string,
  value: unknown,
  low: number,
  high: number = 2 ** 31 - 1,
): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= low && value <= high) {
    return value;
  }
  throw new GatefoldError(
    'ERR_ARGUMENT',
    `"${name}" expected a whole number from ${low} to ${high}, got ${show(value)}`,
  );
}

/** The largest number that float32 has: what is above becomes infinite in the engine. */
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** A number in a range that is finite in float32, or an error that names the argument. */
export function checkNumber(
  name: string,
  value: unknown,
  low: number,
  high: number = MAX_FLOAT,
): number {
  if (typeof value === 'number' && value >= low && value <= high) return value;
  const range = high >= MAX_FLOAT ? `of at least ${low}` : `from ${low} to ${high}`;
  throw new GatefoldError(
    'ERR_ARGUMENT',
    `"${name}" expected a number ${range}, got ${show(value)}`,
  );
}

/** True or false, or an error that names the argument; `otherwise` where it is absent. */
export function checkFlag(name: string, value: unknown, otherwise = false): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === 'boolean') return value;
  throw new GatefoldError('ERR_ARGUMENT', `"${name}" expected true or false, got ${show(value)}`);
}

/** One of a few strings, or an error that lists them. */
export function checkChoice<T extends string>(
  name: string,
  value: unknown,
  choices: readonly T[],
): T {
  if (choices.includes(value as T)) return value as T;
  throw new GatefoldError(
    'ERR_ARGUMENT',
    `"${name}" expected ${choices.map((choice) => `'${choice}'`).join(' or ')}, got ${show(value)}`,
  );
}

/**
 * A `Float32Array` of exactly `length` elements, or with `orLonger` of at least as many, as it is.
 * `shape` explains the length.
 */
export function checkFloats(
  name: string,
  value: unknown,
  length: number,
  shape: string,
  orLonger = false,
): Float32Array {
  return checkArray(name, 'Float32Array', value, length, shape, orLonger);
}

/** Numbers of a caller in an array that nobody can change before it has been used. */
export function ownFloats(
  name: string,
  value: unknown,
  length: number,
  shape: string,
): Float32Array {
  return owned('Float32Array', checkFloats(name, toFloats(name, value, length), length, shape));
}

/** The same of any length from `least` on. */
export function anyFloats(name: string, value: unknown, least = 0): Float32Array {
  return owned('Float32Array', checkFloats(name, toFloats(name, value), least, 'any length', true));
}

/**
 * The numbers of a list or typed array of another kind as float32, each rounded to the nearest; one
 * that float32 has no finite number for is refused. Anything else as it is.
 *
 * @param length a list of which is converted; default any.
 */
export function toFloats(name: string, value: unknown, length?: number): unknown {
  return converted('Float32Array', name, value, length, isFloat);
}

/** The same of whole numbers as i32. */
export function toTokens(name: string, value: unknown, length?: number): unknown {
  return converted('Int32Array', name, value, length, isWhole);
}

/** Numbers of a list that is converted: longer ones come as the array that they become. */
const MAX_LIST = 2 ** 27;

/** What is not finite is passed on: it may be padding, or what the caller looks for. */
const isFloat = (number: number): boolean =>
  !Number.isFinite(number) || Number.isFinite(Math.fround(number));
const isWhole = (number: number): boolean => (number | 0) === number;

/** Whether a value is a list of numbers that is no array of this kind yet. */
function isOther(kind: 'Float32Array' | 'Int32Array', value: unknown): value is ArrayLike<unknown> {
  const own = kindOf(value);
  return own === undefined ? Array.isArray(value) : own !== kind;
}

function converted(
  kind: 'Float32Array' | 'Int32Array',
  name: string,
  value: unknown,
  length: number | undefined,
  fits: (number: number) => boolean,
): unknown {
  if (!isOther(kind, value) || value.length !== (length ?? value.length)) return value;
  if (value.length > MAX_LIST) {
    const message = `"${name}" expected at most ${MAX_LIST} numbers, got ${show(value)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const want = kind === 'Int32Array' ? 'a whole number' : 'a number of float32';
  const array = new globalThis[kind](value.length);
  for (let i = 0; i < array.length; i++) {
    const item = value[i];
    const number = typeof item === 'bigint' ? Number(item) : item;
    if (typeof number !== 'number' || !fits(number)) {
      const message = `"${name}[${i}]" expected ${want}, got ${show(item)}`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    array[i] = number;
  }
  return array;
}

/**
 * Where `length` results go: to the front of the caller's array `out`, or to a fresh one, which is
 * that of `purpose`.
 */
export function resultFloats(
  out: unknown,
  length: number,
  shape: string,
  purpose: string,
): Float32Array {
  if (out === undefined) return newFloats(length, purpose);
  return viewOf('Float32Array', checkFloats('out', out, length, shape, true), length);
}

/** The same of an `Int32Array`, whose elements have yet to be checked. */
export function checkIntegers(
  name: string,
  value: unknown,
  length: number,
  shape: string,
  orLonger = false,
): Int32Array {
  return checkArray(name, 'Int32Array', value, length, shape, orLonger);
}

/** Whether a row of a caller's array is read at all: those behind a row's valid steps are not. */
export type IsRead = (row: number) => boolean;

const ALL: IsRead = () => true;

/** Tokens of a caller, from 0 to `limit` - 1 or that one other, which nobody can change. */
export function ownTokens(
  name: string,
  value: unknown,
  length: number,
  shape: string,
  limit: number,
  other = 0,
  isRead: IsRead = ALL,
): Int32Array {
  const given = checkIntegers(name, toTokens(name, value, length), length, shape);
  const tokens = owned('Int32Array', given);
  checkTokens(name, tokens, length, limit, other, isRead);
  return tokens;
}

/** Whole numbers of a caller, of any length, whose values have yet to be checked. */
export function anyTokens(name: string, value: unknown, shape = 'any length'): Int32Array {
  return checkIntegers(name, toTokens(name, value), 0, shape, true);
}

/** Refuses tokens that are read outside of 0 to `limit` - 1 but that one other. */
export function checkTokens(
  name: string,
  tokens: Int32Array,
  length: number,
  limit: number,
  other = 0,
  isRead: IsRead = ALL,
): void {
  for (let i = 0; i < length; i++) {
    const token = tokens[i]!;
    if ((token < 0 || token >= limit) && token !== other && isRead(i)) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${name}" expected tokens from 0 to ${limit - 1}, got ${token} at index ${i}`,
      );
    }
  }
}

function checkArray<K extends 'Float32Array' | 'Int32Array'>(
  name: string,
  kind: K,
  value: unknown,
  length: number,
  shape: string,
  orLonger: boolean,
): { Float32Array: Float32Array; Int32Array: Int32Array }[K] {
  const isArray = isOf(kind, value);
  if (isArray) {
    const got = lengthOf(value);
    if (got === length || (orLonger && got > length)) return value;
  }
  const want = `${orLonger ? 'at least ' : ''}${length}`;
  throw new GatefoldError(
    isArray || (isOther(kind, value) && value.length !== length) ? 'ERR_SHAPE' : 'ERR_ARGUMENT',
    `"${name}" expected ${kind} of length ${want} (${shape}), got ` +
      (isArray ? `length ${lengthOf(value)}` : show(value)),
  );
}

/** An object, as it is, or an error that names the argument. */
export function checkObject(name: string, value: unknown): object {
  if (typeof value === 'object' && value !== null) return value;
  throw new GatefoldError('ERR_ARGUMENT', `"${name}" expected an object, got ${show(value)}`);
}

/** Only the options that exist: a misspelt one is an error, not silence. */
export function checkKeys(name: string, value: unknown, keys: readonly string[]): void {
  for (const key of Object.keys(checkObject(name, value))) {
    if (!keys.includes(key)) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${name}" has no option "${shorten(key)}"; it takes ${keys.join(', ')}`,
      );
    }
  }
}

/**
 * A copy of a caller's options, each read once: what has been checked cannot change, whatever
 * stands behind a name.
 *
 * @param keys those that exist.
 */
export function readOptions<T extends object>(
  name: string,
  value: T,
  keys: readonly (keyof T & string)[],
): T {
  checkKeys(name, value, keys);
  const copy: Partial<T> = {};
  for (const key of keys) {
    const isForeign = key in Object.prototype && !Object.hasOwn(value, key);
    const option = isForeign ? undefined : value[key];
    if (option !== undefined) copy[key] = option;
  }
  return copy as T;
}

/** Whether a value is an object that has something by a name, rather than an array. */
export function hasNamed(value: unknown, name: string): boolean {
  const isObject = typeof value === 'object' && value !== null && kindOf(value) === undefined;
  return isObject && !Array.isArray(value) && Object.hasOwn(value, name);
}

/**
 * What an object has by each of some names, in their order, each read once; other names are
 * refused.
 */
export function readNamed<T>(
  name: string,
  value: unknown,
  names: readonly string[],
): readonly (T | undefined)[] {
  checkKeys(name, value, names);
  return names.map((key) =>
    Object.hasOwn(value as object, key) ? (value as Record<string, T>)[key] : undefined,
  );
}

/** Plain values that one set of options may hold in all: far above what any has. */
const MAX_VALUES = 2 ** 20;
const MAX_DEPTH = 8;

/**
 * A deep copy of plain data, each value read once, that nobody can change; typed arrays become
 * lists.
 */
export function frozenCopy<T>(name: string, value: T): T {
  let left = MAX_VALUES;
  const refuse = (at: string, what: string): never => {
    throw new GatefoldError('ERR_ARGUMENT', `"${at}" expected plain data, got ${what}`);
  };
  const copy = (at: string, given: unknown, depth: number): unknown => {
    if (typeof given === 'function' || typeof given === 'symbol') refuse(at, `a ${typeof given}`);
    if (typeof given !== 'object' || given === null) return given;
    if (depth > MAX_DEPTH) refuse(at, `more than ${MAX_DEPTH} levels`);
    const kind = kindOf(given);
    if (kind === 'Float32Array' || kind === 'Float64Array' || kind === 'Int32Array') {
      return Object.freeze(Array.from(viewOf(kind, given as never)));
    }
    const isList = Array.isArray(given);
    const keys = isList ? undefined : Object.keys(given);
    const length = keys ? keys.length : (given as unknown[]).length;
    left -= length;
    if (left < 0) refuse(name, `more than ${MAX_VALUES} values`);
    if (!keys) {
      const list = given as unknown[];
      const values = Array.from({ length }, (_, k) => copy(`${at}[${k}]`, list[k], depth + 1));
      return Object.freeze(values);
    }
    const entries = keys.map((key) => {
      const own = (given as Record<string, unknown>)[key];
      return [key, copy(`${at}.${key}`, own, depth + 1)];
    });
    return Object.freeze(Object.fromEntries(entries));
  };
  return copy(name, value, 0) as T;
}

/** A list or a typed array, as it is, or an error that names the argument. */
export function checkList<T extends ArrayLike<unknown>>(name: string, value: T): T {
  if (Array.isArray(value) || kindOf(value) !== undefined) return value;
  throw new GatefoldError('ERR_ARGUMENT', `"${name}" expected a list, got ${show(value)}`);
}

/** A text, as it is, or an error that names the argument. */
export function checkText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new GatefoldError('ERR_ARGUMENT', `"${name}" expected a text, got ${show(value)}`);
}

/** A value as errors show it. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 40)}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  const kind = kindOf(value) ?? (Array.isArray(value) ? 'Array' : undefined);
  if (kind === undefined) return Object.prototype.toString.call(value).slice(8, -1);
  return `${kind} of length ${Array.isArray(value) ? value.length : lengthOf(value)}`;
}
