import { GatefoldError } from './errors.ts';

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

/** A finite number in a range, or an error that names the argument. */
export function checkNumber(
  name: string,
  value: unknown,
  low: number,
  high: number = Infinity,
): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= low && value <= high) {
    return value;
  }
  const range = high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`;
  throw new GatefoldError(
    'ERR_ARGUMENT',
    `"${name}" expected a number ${range}, got ${show(value)}`,
  );
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

/** A `Float32Array` of exactly `length` numbers; `shape` explains the length. */
export function checkFloats(
  name: string,
  value: unknown,
  length: number,
  shape: string,
): Float32Array {
  if (!(value instanceof Float32Array)) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${name}" expected Float32Array of length ${length} (${shape}), got ${show(value)}`,
    );
  }
  if (value.length !== length) throw wrongLength(name, 'Float32Array', value.length, length, shape);
  return value;
}

/** An `Int32Array` of exactly `length` numbers from 0 to `limit` - 1, or that one other. */
export function checkTokens(
  name: string,
  value: unknown,
  length: number,
  shape: string,
  limit: number,
  other = 0,
): Int32Array {
  if (!(value instanceof Int32Array)) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${name}" expected Int32Array of length ${length} (${shape}), got ${show(value)}`,
    );
  }
  if (value.length !== length) throw wrongLength(name, 'Int32Array', value.length, length, shape);
  for (let i = 0; i < length; i++) {
    const token = value[i]!;
    if ((token < 0 || token >= limit) && token !== other) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${name}" expected tokens from 0 to ${limit - 1}, got ${token} at index ${i}`,
      );
    }
  }
  return value;
}

function wrongLength(
  name: string,
  kind: string,
  got: number,
  want: number,
  shape: string,
): GatefoldError {
  return new GatefoldError(
    'ERR_SHAPE',
    `"${name}" expected ${kind} of length ${want} (${shape}), got length ${got}`,
  );
}

/** Only the options that exist: a misspelt one is an error, not silence. */
export function checkKeys(name: string, value: unknown, keys: readonly string[]): void {
  if (typeof value !== 'object' || value === null) {
    throw new GatefoldError('ERR_ARGUMENT', `"${name}" expected an object, got ${show(value)}`);
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${name}" has no option "${key}"; it takes ${keys.join(', ')}`,
      );
    }
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 40)}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  const length = (value as { length?: unknown }).length;
  const kind = (value as object).constructor?.name ?? 'object';
  return typeof length === 'number' ? `${kind} of length ${length}` : kind;
}
