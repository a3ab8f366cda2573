/** Tensors that are known when a model is read: initializers, and what is folded of them. */
import { isOf } from '../../base/arrays.ts';
import { GatefoldError, shorten } from '../../base/errors.ts';
import { CONVERT } from '../safetensors/dtypes.ts';
import type { Dim } from './dims.ts';
import type { Piece, TensorProto } from './proto.ts';
import { Wire, damaged } from './protobuf.ts';

/** Elements of a constant; whole numbers that a model's sizes decide are a list. */
export type Data =
  Float32Array | Float64Array | Int8Array | Uint8Array | Int32Array | readonly Dim[];

export interface Constant {
  readonly dims: readonly number[];
  readonly data: Data;
  readonly isFloat: boolean;
}

/** Files beside the model, by the names that it has for them. */
export type ExternalData = ReadonlyMap<string, Uint8Array>;

type Numbers = Exclude<Data, readonly Dim[]>;

interface ElementType {
  readonly name: string;
  readonly bits: number;
  readonly isFloat?: boolean;
  /** The list of numbers that has them unless they are raw. */
  readonly list: 'floats' | 'int32s' | 'int64s' | 'doubles' | 'uint64s';
  /** Elements out of their bytes. */
  read(bytes: Uint8Array): Numbers;
}

/** The same bytes where a view of elements of `size` bytes may begin. */
function aligned(bytes: Uint8Array, size: number): [ArrayBufferLike, number, number] {
  const own = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return [own.buffer, own.byteOffset, own.length / size];
}

/** 64 bits as doubles: what is beyond 2^53 is rounded, as ends of slices may be. */
function longs(bytes: Uint8Array, isSigned: boolean): Float64Array {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const numbers = new Float64Array(bytes.length / 8);
  for (let k = 0; k < numbers.length; k++) {
    const high = isSigned ? words.getInt32(8 * k + 4, true) : words.getUint32(8 * k + 4, true);
    numbers[k] = high * 2 ** 32 + words.getUint32(8 * k, true);
  }
  return numbers;
}

const floats =
  (dtype: string) =>
  (bytes: Uint8Array): Numbers =>
    CONVERT.get(dtype)!(bytes);

/** By the numbers of `TensorProto.DataType`. */
const TYPES: Readonly<Record<number, ElementType>> = {
  1: { name: 'float32', bits: 32, isFloat: true, list: 'floats', read: floats('F32') },
  2: { name: 'uint8', bits: 8, list: 'int32s', read: (bytes) => bytes },
  3: {
    name: 'int8',
    bits: 8,
    list: 'int32s',
    read: (bytes) => new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length),
  },
  4: {
    name: 'uint16',
    bits: 16,
    list: 'int32s',
    read: (bytes) => Int32Array.from(new Uint16Array(...aligned(bytes, 2))),
  },
  5: {
    name: 'int16',
    bits: 16,
    list: 'int32s',
    read: (bytes) => Int32Array.from(new Int16Array(...aligned(bytes, 2))),
  },
  6: {
    name: 'int32',
    bits: 32,
    list: 'int32s',
    read: (bytes) => new Int32Array(...aligned(bytes, 4)),
  },
  7: { name: 'int64', bits: 64, list: 'int64s', read: (bytes) => longs(bytes, true) },
  9: { name: 'bool', bits: 8, list: 'int32s', read: (bytes) => bytes },
  10: { name: 'float16', bits: 16, isFloat: true, list: 'int32s', read: floats('F16') },
  11: {
    name: 'float64',
    bits: 64,
    isFloat: true,
    list: 'doubles',
    read: (bytes) => new Float64Array(...aligned(bytes, 8)),
  },
  12: {
    name: 'uint32',
    bits: 32,
    list: 'uint64s',
    read: (bytes) => Float64Array.from(new Uint32Array(...aligned(bytes, 4))),
  },
  13: { name: 'uint64', bits: 64, list: 'uint64s', read: (bytes) => longs(bytes, false) },
  16: { name: 'bfloat16', bits: 16, isFloat: true, list: 'int32s', read: floats('BF16') },
};

/** Whether a type is one of numbers with a fraction. */
export const isFloatType = (type: number): boolean => TYPES[type]?.isFloat === true;

export const countOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** A tensor of the file. */
export function constantOf(tensor: TensorProto, external: ExternalData): Constant {
  const { dims, type = 0, name = '', raw } = tensor;
  const title = `the tensor "${shorten(name)}"`;
  const element = TYPES[type];
  if (!element) {
    const message = `${title} has elements of type ${type}, which are not supported`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  if (tensor.segment) damaged(`${title} is a segment`);
  if (dims.length > 16) damaged(`${title} has ${dims.length} dimensions`);
  if (dims.some((size) => !(size >= 0 && size < 2 ** 31))) damaged(`${title} has no sizes`);
  const count = countOf(dims);
  const size = (count * element.bits) / 8;
  const isFloat = element.isFloat === true;
  const own = tensor.location === 1 ? outside(tensor, title, size, external) : raw;
  if (own) {
    if (own.length !== size) damaged(`${title} has ${own.length} bytes rather than ${size}`);
    return { dims, data: element.read(own), isFloat };
  }
  return { dims, data: listed(tensor[element.list], element, count, title), isFloat };
}

/** Elements that the file lists as numbers. */
function listed(
  pieces: readonly Piece[],
  { name, list, read }: ElementType,
  count: number,
  title: string,
): Numbers {
  const wrong = (): never => damaged(`${title} does not have ${count} elements`);
  if (list === 'floats' || list === 'doubles') {
    const size = list === 'floats' ? 4 : 8;
    const bytes = pieces.map((piece) => (typeof piece === 'number' ? wrong() : piece));
    if (bytes.reduce((sum, { length }) => sum + length, 0) !== size * count) wrong();
    if (bytes.length === 1) return read(bytes[0]!);
    const whole = new Uint8Array(size * count);
    let at = 0;
    for (const piece of bytes) {
      whole.set(piece, at);
      at += piece.length;
    }
    return read(whole);
  }
  // A packed number has a byte at least.
  const most = pieces.reduce<number>((n, p) => n + (typeof p === 'number' ? 1 : p.length), 0);
  if (count > most) wrong();
  const isHalf = name === 'float16' || name === 'bfloat16';
  const narrow = { int8: Int8Array, uint8: Uint8Array, bool: Uint8Array, int32: Int32Array };
  const Numbers = narrow[name as 'int8'] ?? (isHalf ? Uint16Array : Float64Array);
  const numbers = new Numbers(count);
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'number') {
      numbers[at++] = piece;
      continue;
    }
    for (const wire = new Wire(piece); !wire.isAtEnd; at++) {
      if (at >= count) wrong();
      numbers[at] = wire.varint();
    }
  }
  if (at !== count) wrong();
  return isHalf ? read(new Uint8Array(numbers.buffer)) : (numbers as Numbers);
}

/** The bytes of a tensor in a file beside the model. */
function outside(
  { external }: TensorProto,
  title: string,
  size: number,
  files: ExternalData,
): Uint8Array {
  const told = new Map(external.map(({ key = '', value = '' }) => [key, value]));
  const location = told.get('location') ?? '';
  const file = files.get(location);
  if (!file) {
    const message = `${title} is in the file "${shorten(location)}": pass { data: new Map([[name, bytes]]) }`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const from = Number(told.get('offset') ?? 0);
  const length = Number(told.get('length') ?? size);
  const fits = Number.isSafeInteger(from) && from >= 0 && from + size <= file.length;
  if (length !== size || !fits) damaged(`${title} does not fit "${shorten(location)}"`);
  return file.subarray(from, from + size);
}

/** One number. */
export const scalar = (value: number, isFloat = false): Constant => ({
  dims: [],
  data: isFloat ? Float32Array.of(value) : Float64Array.of(value),
  isFloat,
});

/** Whole numbers, some of which may be sizes that have names. */
export const sizes = (
  items: readonly Dim[],
  dims: readonly number[] = [items.length],
): Constant => ({ dims, data: items, isFloat: false });

/** Whether no element is a size that has a name. */
export const isKnown = ({ data }: Constant): boolean =>
  !Array.isArray(data) || (data as readonly Dim[]).every((item) => typeof item === 'number');

/** The elements where all are whole numbers. */
export function numbersOf({ data }: Constant): number[] | undefined {
  const list = Array.from<Dim>(data as readonly Dim[]);
  return list.every((item) => Number.isInteger(item)) ? (list as number[]) : undefined;
}

/** A size that has a name stands where a number is needed; its node refuses it. */
export class OpenSize extends GatefoldError {
  readonly size: Dim;

  constructor(size: Dim) {
    super('ERR_UNSUPPORTED', `"${shorten(String(size))}" is not known`);
    this.size = size;
  }
}

/** The elements; a size that has a name is an `OpenSize`. */
export function elementsOf({ data }: Constant): ArrayLike<number> {
  if (Array.isArray(data)) {
    for (const item of data as readonly Dim[]) {
      if (typeof item === 'string') throw new OpenSize(item);
    }
  }
  return data as ArrayLike<number>;
}

/** The same as float32. */
export function floatsOf(constant: Constant): Float32Array {
  const { data } = constant;
  return isOf('Float32Array', data) ? data : Float32Array.from(elementsOf(constant));
}

/** Whether all elements are 0. */
export const isZero = ({ data }: Constant): boolean =>
  (data as readonly Dim[]).every((item: Dim) => item === 0);

/** An array as that of another, of so many elements. */
export function alike(data: Data, count: number): Exclude<Data, readonly Dim[]> | Dim[] {
  if (Array.isArray(data)) return Array.from<Dim>({ length: count }).fill(0);
  const { constructor } = data as Float32Array;
  return new (constructor as Float32ArrayConstructor)(count);
}
