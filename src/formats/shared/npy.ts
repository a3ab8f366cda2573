/**
 * Arrays of NumPy: one in a `.npy` file.
 *
 *     ╒═ 6 bytes ═╤═ 2 ═╤═ 2 or 4 ═╤═══════ header ════════╤══ the rest ══╕
 *     │ \x93NUMPY │ 1 0 │ length   │ {'descr': '<f4', ...} │ the elements │
 *     └───────────┴─────┴──────────┴───────────────────────┴──────────────┘
 *
 * The header is a dictionary in Python's notation, of which this reads what NumPy writes.
 */
import { isOf, kindOf, viewOf } from '../../base/arrays.ts';
import { checkObject, show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';

/** The arrays that elements of a file become. */
export type NpyData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** An array of a file: row-major, whatever order the file has it in. */
export interface NpyArray {
  /** Sizes of its axes, the last one contiguous. */
  readonly shape: readonly number[];
  /** Its elements, row-major. */
  readonly data: NpyData;
  /** NumPy's letters without the order of bytes: `f4`, `i8`, `b1`. */
  readonly dtype: string;
}

/** An array to write: its kind says the dtype. */
export interface NpySource {
  /** Sizes of its axes, the last one contiguous. */
  readonly shape: readonly number[];
  /** Its elements, row-major; their kind decides the dtype. */
  readonly data: NpyData;
}

type ArrayClass = new (buffer: ArrayBufferLike | number, at?: number, length?: number) => NpyData;

/** Halves become float32, in which each is exact; truths are 0 and 1. */
const CLASSES: ReadonlyMap<string, ArrayClass> = new Map([
  ['f4', Float32Array],
  ['f8', Float64Array],
  ['i1', Int8Array],
  ['i2', Int16Array],
  ['i4', Int32Array],
  ['i8', BigInt64Array],
  ['u1', Uint8Array],
  ['u2', Uint16Array],
  ['u4', Uint32Array],
  ['u8', BigUint64Array],
  ['f2', Float32Array],
  ['b1', Uint8Array],
] as [string, ArrayClass][]);

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MAX_HEADER = 65_536;
const MAX_RANK = 32;
/** Of the file, as NumPy aligns its elements. */
const ALIGNMENT = 64;

const COPY_AGAIN = 'it was cut short or is another kind of file: copy or save it again';

function refuse(name: string, problem: string, fix: string = COPY_AGAIN): never {
  throw new GatefoldError('ERR_FORMAT', `${name} is no .npy file to trust: ${problem}; ${fix}`);
}

/** Whether bytes begin like a `.npy` file. */
export function isNpy(bytes: Uint8Array): boolean {
  return bytes.length >= 10 && MAGIC.every((byte, k) => bytes[k] === byte);
}

interface Header {
  readonly order: string;
  readonly dtype: string;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
}

/** What NumPy writes; keys in any order. A shape of one size has a comma after it. */
const ENTRY =
  /\s*(['"])(descr|fortran_order|shape)\1\s*:\s*(?:(['"])([<>=|]?)([a-zA-Z]\d*)\3|(True|False)|\(([\d\s,L]*)\))\s*(?:,|(?=\}))/y;
const SIZE = /^\d{1,15}$/;

function readHeader(text: string, name: string): Header {
  const found = new Map<string, RegExpExecArray>();
  const body = text.trimEnd();
  ENTRY.lastIndex = 1;
  let end = 1;
  while (body[0] === '{' && found.size < 3) {
    const match = ENTRY.exec(body);
    if (!match) break;
    found.set(match[2]!, match);
    end = ENTRY.lastIndex;
  }
  const [descr, fortran, shape] = ['descr', 'fortran_order', 'shape'].map((key) => found.get(key));
  if (body.slice(end).trim() !== '}' || !fortran?.[6] || shape?.[7] === undefined || !descr) {
    return refuse(name, 'its header is damaged');
  }
  if (descr[5] === undefined) return refuse(name, 'its header is damaged');
  const sizes = shape[7].split(',').map((size) => size.trim().replace(/L$/, ''));
  if (sizes.at(-1) === '') sizes.pop();
  if (!sizes.every((size) => SIZE.test(size))) return refuse(name, 'its shape is damaged');
  return {
    order: descr[4]!,
    dtype: descr[5],
    isFortran: fortran[6] === 'True',
    shape: sizes.map(Number),
  };
}

/** A binary16 as the number that it is. */
function halfOf(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return exponent
    ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
    : sign * 2 ** -14 * (fraction / 1024);
}

/** Elements as a view of the bytes, or of a copy where those lie otherwise than here. */
function elementsOf(bytes: Uint8Array, size: number, isBig: boolean): Uint8Array {
  if (!isBig || size === 1) return bytes.byteOffset % size ? bytes.slice() : bytes;
  const own = bytes.slice();
  for (let at = 0; at < own.length; at += size) own.subarray(at, at + size).reverse();
  return own;
}

/** Places of elements, in the order of rows, of an array whose first axis is the contiguous one. */
function* fortran(shape: readonly number[], count: number): Generator<number> {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  const place = shape.map(() => 0);
  for (let at = 0, from = 0; at < count; at++) {
    yield from;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++place[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      place[axis] = 0;
    }
  }
}

/** An array whose header has been read and checked. */
export interface NpyFile {
  readonly shape: readonly number[];
  readonly dtype: string;
  /** The array, in memory of its own. */
  read(): NpyArray;
}

/** The array of a `.npy` file, yet to be read; `name` of it in errors. */
export function openNpy(bytes: Uint8Array, name: string): NpyFile {
  if (!isNpy(bytes)) refuse(name, 'it does not begin as one');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[6]!;
  if (version < 1 || version > 3) {
    const message = `${name} is a .npy file of version ${version}; gatefold reads versions 1 to 3`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const begin = version === 1 ? 10 : 12;
  if (bytes.length < begin) refuse(name, 'it has no header');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER || begin + length > bytes.length) {
    refuse(name, `its header of ${length} bytes is impossible`);
  }
  // Names of fields alone could be other than ASCII, and none are read.
  const codes = bytes.subarray(begin, begin + length) as unknown as number[];
  const text = length > 4096 ? '' : String.fromCharCode.apply(undefined, codes);
  const { order, dtype, isFortran, shape } = readHeader(text, name);
  const Elements = CLASSES.get(dtype);
  if (!Elements) {
    const known = [...CLASSES.keys()].join(', ');
    const message = `${name} has elements of "${dtype}"; gatefold reads ${known}: save it as float32`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const size = Number(dtype.slice(1));
  const count = shape.reduce((product, axis) => product * axis, 1);
  const raw = bytes.subarray(begin + length);
  if (shape.length > MAX_RANK || count * size !== raw.length) {
    refuse(name, `its shape and dtype say ${count * size} bytes, and it has ${raw.length}`);
  }
  const read = (): NpyArray => {
    const { buffer, byteOffset } = elementsOf(raw, size, order === '>');
    const isHalf = dtype === 'f2';
    const elements = new (isHalf ? Uint16Array : Elements)(buffer, byteOffset, count);
    if (!isHalf && !(isFortran && shape.length > 1)) {
      return { shape, data: buffer === bytes.buffer ? elements.slice() : elements, dtype };
    }
    const data = new Elements(count);
    const places = isFortran ? fortran(shape, count) : elements.keys();
    let at = 0;
    for (const from of places) {
      data[at++] = isHalf ? halfOf(elements[from] as number) : elements[from]!;
    }
    return { shape, data, dtype };
  };
  return { shape, dtype, read };
}

/** The array of a `.npy` file. */
export function parseNpy(bytes: Uint8Array, name: string): NpyArray {
  return openNpy(bytes, name).read();
}

/** The dtype of an array to write. */
const DTYPES: ReadonlyMap<string, string> = new Map(
  [...CLASSES].slice(0, 10).map(([dtype, { name }]) => [name, dtype]),
);

function sourceOf(
  name: string,
  given: NpySource,
): { shape: number[]; data: NpyData; dtype: string } {
  const { shape, data } = checkObject(name, given) as NpySource;
  const dtype = DTYPES.get(kindOf(data) ?? '');
  if (!Array.isArray(shape) || !dtype) {
    const kinds = [...DTYPES.keys()].join(', ');
    const message = `"${name}" expected { shape, data }, data one of ${kinds}, got ${show(data)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const sizes = [...shape] as number[];
  const count = sizes.reduce((product, size) => product * size, 1);
  const isSize = (size: number): boolean => Number.isSafeInteger(size) && size >= 0;
  if (sizes.length > MAX_RANK || !sizes.every(isSize) || count !== data.length) {
    const message = `"${name}" expected as many elements as [${sizes.join(', ')}] has, got ${show(data)}`;
    throw new GatefoldError('ERR_SHAPE', message);
  }
  return { shape: sizes, data, dtype };
}

/** A `.npy` file of version 1, little-endian and row-major. */
export function printNpy(name: string, source: NpySource): Uint8Array {
  const { shape, data, dtype } = sourceOf(name, source);
  const order = dtype.endsWith('1') ? '|' : '<';
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${order}${dtype}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const begin = Math.ceil((10 + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(begin + raw.length);
  bytes.set([...MAGIC, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, begin - 10, true);
  const header = `${text.padEnd(begin - 11)}\n`;
  for (let k = 0; k < header.length; k++) bytes[10 + k] = header.charCodeAt(k);
  bytes.set(raw, begin);
  return bytes;
}

/** The elements as float32, for a tensor: whole numbers and float64 rounded to the nearest. */
export function floatsOf({ data }: NpyArray): Float32Array {
  if (isOf('Float32Array', data)) return viewOf('Float32Array', data);
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}
