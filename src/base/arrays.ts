/**
 * Typed arrays of callers. What they are is read from their internal slots by the language's own
 * getters: a subclass, a proxy or an array of another realm cannot say one thing to a check and
 * another to the copy that follows it.
 */

import { GatefoldError } from './errors.ts';

const typedArray = Object.getPrototypeOf(Int8Array.prototype) as object;

/** The language's own getter of a property, which looks at the object's slots alone. */
function getterOf<T>(prototype: object, key: PropertyKey): (value: unknown) => T {
  const { get } = Object.getOwnPropertyDescriptor(prototype, key)!;
  return (value) => get!.call(value) as T;
}

/** The kind of a typed array, such as `Float32Array`; `undefined` of anything else. */
export const kindOf: (value: unknown) => string | undefined = getterOf(
  typedArray,
  Symbol.toStringTag,
);
/** Elements of a typed array; 0 where its buffer has been transferred away. */
export const lengthOf: (array: unknown) => number = getterOf(typedArray, 'length');

const bufferOf = getterOf<ArrayBufferLike>(typedArray, 'buffer');
const offsetOf = getterOf<number>(typedArray, 'byteOffset');
const sizeOfBuffer = getterOf<number>(ArrayBuffer.prototype, 'byteLength');
const copyElements = Uint8Array.prototype.set;

/** Whether a value is an `ArrayBuffer`, of any realm; one that threads share is not. */
export function isBuffer(value: unknown): value is ArrayBuffer {
  try {
    sizeOfBuffer(value);
    return true;
  } catch {
    return false;
  }
}

/** Whether other threads may change the elements at any time. */
export function isShared(array: ArrayBufferView): boolean {
  return !isBuffer(bufferOf(array));
}

/** The kinds that this package takes. */
interface Kinds {
  readonly Float32Array: Float32Array;
  readonly Float64Array: Float64Array;
  readonly Int32Array: Int32Array;
  readonly Int8Array: Int8Array;
  readonly Uint8Array: Uint8Array;
}
export type Kind = keyof Kinds;

/** Whether a value is a typed array of one kind. */
export function isOf<K extends Kind>(kind: K, value: unknown): value is Kinds[K] {
  return kindOf(value) === kind;
}

/** The same of a certain length. */
export function isExactly<K extends Kind>(
  kind: K,
  value: unknown,
  length: number,
): value is Kinds[K] {
  return kindOf(value) === kind && lengthOf(value) === length;
}

type Class<K extends Kind> = new (
  buffer?: ArrayBufferLike,
  at?: number,
  length?: number,
) => Kinds[K];

/** The same elements, or the first `length`, through a view of the language's own class. */
export function viewOf<K extends Kind>(
  kind: K,
  array: Kinds[K],
  length: number = lengthOf(array),
): Kinds[K] {
  const View = globalThis[kind] as unknown as Class<K>;
  // A buffer that has been transferred away takes no view.
  return length ? new View(bufferOf(array), offsetOf(array), length) : new View();
}

/**
 * The elements where nobody can change them before they have been used: in a copy where threads
 * share the buffer.
 */
export function owned<K extends Kind>(kind: K, array: Kinds[K]): Kinds[K] {
  const view = viewOf(kind, array);
  return isShared(view) ? (view.slice() as Kinds[K]) : view;
}

/** Copies all elements of `from` to the front of `to`, without a view of either. */
export function copyInto(to: Float32Array | Int32Array, from: Float32Array | Int32Array): void {
  copyElements.call(to as unknown as Uint8Array, from);
}

/** Whether the first `aLength` elements of `a` and `bLength` of `b` have bytes in common. */
export function overlaps(
  a: Float32Array | Int32Array,
  aLength: number,
  b: Float32Array | Int32Array,
  bLength: number,
): boolean {
  if (bufferOf(a) !== bufferOf(b)) return false;
  const [aStart, bStart] = [offsetOf(a), offsetOf(b)];
  return aStart < bStart + 4 * bLength && bStart < aStart + 4 * aLength;
}

/** Refuses arrays to write to of which two have bytes in common. */
export function checkApart(names: readonly string[], arrays: readonly Float32Array[]): void {
  const buffers = arrays.map(bufferOf);
  const starts = arrays.map(offsetOf);
  const ends = arrays.map((array, i) => starts[i]! + 4 * lengthOf(array));
  for (let i = 0; i < arrays.length; i++) {
    for (let j = 0; j < i; j++) {
      if (buffers[i] !== buffers[j] || starts[i]! >= ends[j]! || starts[j]! >= ends[i]!) continue;
      const message = `"${names[i]}" expected an array of its own, got one that overlaps "${names[j]}"`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
  }
}

/**
 * Whether writing `to` in order, each step after `from` has been read up to it, destroys elements
 * of `from` that are still to be read: they overlap, and `to` is ahead of `from` somewhere.
 */
export function overtakes(
  to: Float32Array | Int32Array,
  toLength: number,
  from: Float32Array | Int32Array,
  fromLength: number,
): boolean {
  if (!overlaps(to, toLength, from, fromLength)) return false;
  const lead = offsetOf(to) - offsetOf(from);
  return lead > 0 || lead + 4 * (toLength - fromLength) > 0;
}

/** A fresh array for results; `purpose` says whose, where the host has no memory for it. */
export function newFloats(length: number, purpose: string): Float32Array<ArrayBuffer> {
  try {
    return new Float32Array(length);
  } catch {
    const message = `${purpose} takes ${4 * length} bytes, which this host does not give: use fewer steps or a smaller batch`;
    throw new GatefoldError('ERR_MEMORY', message);
  }
}
