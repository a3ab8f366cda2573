/**
 * The containers of `torch.save`, each with pickles and storages.
 *
 *     zip     NAME/data.pkl, NAME/data/KEY of every storage, NAME/byteorder in newer files
 *     legacy  pickles: magic number, protocol, system, the value, keys of the storages; then of
 *             every key the number of elements as i64 and the elements
 *     plain   one pickle, whose storages are legacy files in its bytes
 */
import { GatefoldError } from '../../base/errors.ts';
import { isZip, readZip } from '../shared/zip.ts';
import type { ZipEntry } from '../shared/zip.ts';
import { FALSE, Heap, KIND, limitsOf } from './heap.ts';
import type { Value } from './heap.ts';
import { Pickle, damaged } from './pickle.ts';

/** A storage, or the part of it that a view of a legacy file has. */
export interface Storage {
  /** The same for the same bytes. */
  readonly key: string;
  readonly dtype: string;
  readonly bytes: Uint8Array;
}

export interface Archive {
  readonly heap: Heap;
  readonly root: Value;
  /** What a tensor is made of: a persistent value, or the record of a call. */
  storage(value: Value): Storage;
}

/** Elements of storages by the names of their classes, with the dtypes of safetensors. */
const STORAGES: ReadonlyMap<string, string> = new Map([
  ['FloatStorage', 'F32'],
  ['DoubleStorage', 'F64'],
  ['HalfStorage', 'F16'],
  ['BFloat16Storage', 'BF16'],
  ['LongStorage', 'I64'],
  ['IntStorage', 'I32'],
  ['ShortStorage', 'I16'],
  ['CharStorage', 'I8'],
  ['ByteStorage', 'U8'],
  ['BoolStorage', 'BOOL'],
  ['ComplexFloatStorage', 'C64'],
  ['ComplexDoubleStorage', 'C128'],
  ['QInt8Storage', 'QINT8'],
  ['QUInt8Storage', 'QUINT8'],
  ['QInt32Storage', 'QINT32'],
  ['UntypedStorage', 'U8'],
]);

/** Bytes of an element. */
const BYTES: ReadonlyMap<string, number> = new Map([
  ...['I8', 'U8', 'BOOL', 'QINT8', 'QUINT8', 'F8_E5M2', 'F8_E4M3'].map((d) => [d, 1] as const),
  ...['F16', 'BF16', 'I16', 'U16'].map((d) => [d, 2] as const),
  ...['F32', 'I32', 'U32', 'QINT32'].map((d) => [d, 4] as const),
  ...['F64', 'I64', 'U64', 'C64'].map((d) => [d, 8] as const),
  ['C128', 16],
]);

export function bytesOf(dtype: string): number {
  return BYTES.get(dtype)!;
}

/** The magic number of a legacy file, as LONG1 has it. */
const MAGIC = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const MAX_ENTRIES = 65_536;
const MAX_KEY = 256;
/** What deflated entries may take: `torch.save` deflates nothing, but people pack again. */
const INFLATED = { least: 2 ** 20, times: 3 } as const;

/** What a persistent value says of a storage. */
interface Reference {
  readonly key: string;
  readonly dtype: string;
  readonly length: number;
  /** Of a view: elements before it, and its own. */
  readonly view?: { readonly offset: number; readonly length: number };
}

/** The name of a storage, which old files number. */
function keyOf(heap: Heap, value: Value): string {
  const isLong = heap.is(value, KIND.text) && heap.field(value, 1) > MAX_KEY;
  if (isLong) damaged('a storage has a name that is too long');
  return heap.text(value) ?? String(heap.number(value));
}

function countOf(heap: Heap, value: Value | undefined, what: string): number {
  const number = value === undefined ? undefined : heap.number(value);
  if (number !== undefined && Number.isSafeInteger(number) && number >= 0) return number;
  return damaged(`${what} is no whole number`);
}

/** `('storage', class, key, device, elements[, (view key, offset, elements)])`. */
function referenceOf(heap: Heap, value: Value): Reference | undefined {
  if (!heap.is(value, KIND.persistent)) return undefined;
  const [what, type, name, , count, view] = heap.list(heap.field(value, 0), 6);
  if (what === undefined || !heap.isText(what, 'storage')) return undefined;
  if (type === undefined || name === undefined) return undefined;
  const own = heap.global(type) ?? '';
  const dtype = STORAGES.get(own.slice(own.lastIndexOf('.') + 1));
  if (dtype === undefined) damaged(`it has a storage of the unknown class ${own.slice(0, 80)}`);
  const key = keyOf(heap, name);
  const length = countOf(heap, count, 'the size of a storage');
  const [, offset, part] = view === undefined ? [] : heap.list(view, 3);
  if (offset === undefined) return { key, dtype, length };
  const from = countOf(heap, offset, 'the offset of a view');
  return { key, dtype, length, view: { offset: from, length: countOf(heap, part, 'a view') } };
}

/** The bytes of a reference, of those of its whole storage. */
function storageOf(whole: Uint8Array, prefix: string, { key, dtype, ...rest }: Reference): Storage {
  const size = bytesOf(dtype);
  const { offset, length } = rest.view ?? { offset: 0, length: rest.length };
  const end = (offset + length) * size;
  if (!(end <= whole.length)) {
    damaged(`storage "${key.slice(0, 80)}" has ${whole.length} bytes of ${end}`);
  }
  const bytes = whole.subarray(offset * size, end);
  return { key: `${prefix}${key} ${offset}`, dtype, bytes };
}

const IN_BYTES = new Set(['torch.storage._load_from_bytes']);

/** Opens a file whose content is one of the three. */
export function openArchive(bytes: Uint8Array): Archive {
  if (isZip(bytes)) return openZip(bytes);
  const heap = new Heap(bytes);
  const legacy = openLegacy(heap, 0, bytes.length, '');
  if (legacy) return legacy;
  return openPlain(heap);
}

function openZip(bytes: Uint8Array): Archive {
  const maxInflated = INFLATED.least + INFLATED.times * bytes.length;
  const entries = readZip(bytes, { maxEntries: MAX_ENTRIES, maxInflated, checksums: false });
  const root = rootOf(entries);
  const order = entries.get(`${root}byteorder`)?.bytes();
  if (order?.[0] === 0x62) {
    const message = 'the file has numbers in big-endian order; save it again on another machine';
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const pickled = entries.get(`${root}data.pkl`)!.bytes();
  const heap = new Heap(pickled, limitsOf(bytes.length));
  const kept = new Map<string, Uint8Array>();
  const contentsOf = (key: string): Uint8Array => {
    const entry = entries.get(`${root}data/${key}`);
    if (!entry) damaged(`it has no storage "${key.slice(0, 80)}"`);
    // What is deflated is inflated once.
    if (!kept.has(key)) kept.set(key, entry.bytes());
    return kept.get(key)!;
  };
  return {
    heap,
    root: new Pickle(heap).read(),
    storage: (value) => {
      const reference = referenceOf(heap, value);
      if (!reference) damaged('it has a tensor without a storage');
      return storageOf(contentsOf(reference.key), '', reference);
    },
  };
}

/** The folder of the archive that has the pickle. */
function rootOf(entries: ReadonlyMap<string, ZipEntry>): string {
  const found = [...entries.keys()].filter((name) => /(?:^|\/)data\.pkl$/.test(name));
  if (found.length === 1) return found[0]!.slice(0, -'data.pkl'.length);
  if (found.length > 1) damaged('it has more than one data.pkl');
  const isKeras = entries.has('config.json') && entries.has('model.weights.h5');
  const other = isKeras
    ? 'it is a Keras model: use gatefold/formats/keras'
    : 'name a file that torch.save wrote';
  throw new GatefoldError('ERR_FORMAT', `the zip archive has no data.pkl; ${other}`);
}

/** Opens a legacy file from `start` on; `undefined` where there is none. */
function openLegacy(heap: Heap, start: number, end: number, prefix: string): Archive | undefined {
  const { bytes } = heap;
  // PROTO 2, LONG1 of 10 bytes.
  const isLegacy = MAGIC.every((byte, k) => bytes[start + 4 + k] === byte);
  if (!isLegacy || bytes[start] !== 0x80 || bytes[start + 2] !== 0x8a) return undefined;
  const pickle = new Pickle(heap, start, end);
  pickle.read();
  pickle.read();
  const system = pickle.read();
  if (heap.get(system, 'little_endian') === FALSE) {
    const message = 'the file has numbers in big-endian order; save it again on another machine';
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const before = heap.count;
  const root = pickle.read();
  const sizes = new Map<string, number>();
  for (let value = before; value < heap.count; value++) {
    const reference = referenceOf(heap, value);
    if (reference) sizes.set(reference.key, bytesOf(reference.dtype));
  }
  const keys = pickle.read();
  const contents = new Map<string, Uint8Array>();
  for (const value of heap.is(keys, KIND.list) ? heap.items(keys) : []) {
    const key = keyOf(heap, value);
    const size = sizes.get(key);
    if (size === undefined) damaged(`its storage "${key.slice(0, 80)}" is of no tensor`);
    const length = size * pickle.u64();
    const from = pickle.skip(length);
    contents.set(key, bytes.subarray(from, from + length));
  }
  return {
    heap,
    root,
    storage: (value) => {
      const reference = referenceOf(heap, value);
      const whole = reference && contents.get(reference.key);
      if (!whole) damaged('it has a tensor without a storage');
      return storageOf(whole, prefix, reference);
    },
  };
}

/** A pickle by itself: every storage is a legacy file in bytes of it. */
function openPlain(heap: Heap): Archive {
  const root = new Pickle(heap).read();
  const inner = new Map<Value, Storage>();
  return {
    heap,
    root,
    storage: (value) => {
      const callable = heap.is(value, KIND.record) ? heap.global(heap.callable(value)) : undefined;
      if (!IN_BYTES.has(callable ?? '')) damaged('it has a tensor without a storage');
      const [bytes = 0] = heap.list(heap.args(value), 1);
      if (!inner.has(bytes)) {
        const archive = openInner(heap, bytes);
        if (!archive) damaged('it has a storage that torch.save did not write');
        inner.set(bytes, archive.storage(archive.root));
      }
      return inner.get(bytes)!;
    },
  };
}

/** A legacy file in bytes of a pickle, or in the text that old protocols write for bytes. */
function openInner(heap: Heap, value: Value): Archive | undefined {
  const prefix = `${value} `;
  if (heap.is(value, KIND.bytes, KIND.text)) {
    const start = heap.field(value, 0);
    return openLegacy(heap, start, start + heap.field(value, 1), prefix);
  }
  const isEncoded = heap.is(value, KIND.record);
  if (!isEncoded || heap.global(heap.callable(value)) !== '_codecs.encode') return undefined;
  const [text = 0, encoding = 0] = heap.list(heap.args(value), 2);
  if (!heap.is(text, KIND.text) || !heap.isText(encoding, 'latin1')) return undefined;
  const bytes = latin1(heap.raw(text));
  return openLegacy(new Heap(bytes), 0, bytes.length, prefix);
}

/** The bytes whose characters a text in UTF-8 has. */
function latin1(text: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const lead = text[at]!;
    // Above 0x7f there are two bytes, the first of which has two bits of the character.
    bytes[count++] = lead < 0x80 ? lead : ((lead & 3) << 6) | (text[++at]! & 0x3f);
  }
  return bytes.subarray(0, count);
}
