/**
 * The safetensors file: 8 bytes of header length, a JSON header, the data.
 *
 *     ╒═ 8 bytes ═╤══════ n bytes ══════╤═══════ the rest ═══════╕
 *     │ n, u64 LE │ {"name": {"dtype",  │ tensors back to back,  │
 *     │           │  "shape", ...}, ... }│ no gap, nothing after  │
 *     └───────────┴─────────────────────┴────────────────────────┘
 *
 * The reader trusts nothing: it makes the checks of the reference implementation
 * (huggingface/safetensors, `tensor.rs`) and those that JavaScript adds, all of them before it
 * allocates. No message repeats what the file says.
 */
import { checkInteger, checkKeys } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { Tensor } from '../../base/tensor.ts';
import { CONVERT, DTYPE_BITS } from './dtypes.ts';
import { asBytes } from '../shared/bytes.ts';
import { scanJson } from '../shared/json-scan.ts';
import { decodeUtf8, hasLoneSurrogate } from '../../base/utf8.ts';

/** Bytes of the header's length. */
export const LENGTH_BYTES = 8;
/** The one key of the header that is no tensor. */
export const METADATA = '__metadata__';
const OPEN_BRACE = 0x7b;
const MIB = 2 ** 20;

/** Caps on what a header may declare; far above what any recurrent model has. */
const MAX_DEPTH = 64;
const MAX_TENSORS = 65_536;
export const MAX_RANK = 8;
export const MAX_DIMENSION: number = 2 ** 31 - 1;
/**
 * What the reference implementation accepts; ours is lower by default and can be raised up to it.
 */
const MAX_HEADER_BYTES = 100_000_000;

/** What `readSafetensors` accepts. */
export interface ReadOptions {
  /** Longest header to accept; default 1 MiB, at most 100,000,000. */
  readonly maxHeaderBytes?: number;
  /**
   * Most bytes that all tensors together may take as f32; default 256 MiB, or as many as the file
   * has.
   */
  readonly maxBytes?: number;
  /** Whether to refuse NaN and infinities, which the format allows; default false. */
  readonly checkFinite?: boolean;
}

/** A tensor as f32, with the dtype that the file keeps it in. */
export interface SafetensorsTensor extends Tensor {
  /** What it was in the file, such as `F16`. */
  readonly dtype: string;
}

/** A tensor of a dtype without a float32 form here: its data are not read. */
export interface SkippedTensor {
  /** Its name in the file. */
  readonly name: string;
  /** What it is there, such as `I64`. */
  readonly dtype: string;
  /** Sizes of its axes. */
  readonly shape: readonly number[];
}

/** What a safetensors file has. */
export interface SafetensorsFile {
  /** In the order of the file's data. */
  readonly tensors: Map<string, SafetensorsTensor>;
  /** Tensors of all dtypes but F32, F64, F16, BF16 and I8. */
  readonly skipped: readonly SkippedTensor[];
  /** Has no prototype: any name may be a key. */
  readonly metadata: Record<string, string>;
}

interface Entry {
  readonly name: string;
  /** Place in the header from 1, for messages. */
  readonly number: number;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function refuse(problem: string, fix: string): never {
  throw new GatefoldError('ERR_FORMAT', `not a safetensors file to trust: ${problem}; ${fix}`);
}

const CUT_SHORT = 'it was cut short or is another kind of file: copy or save it again';
const SAVE_AGAIN = 'save it again with a current safetensors library';

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(record: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** A whole number that can count or measure something. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Length of the header in bytes, checked against the file and the cap. */
function readHeaderLength(bytes: Uint8Array, maxHeaderBytes: number): number {
  if (bytes.length < LENGTH_BYTES) refuse('it has no header', CUT_SHORT);
  const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES);
  // Both halves are exact, and a sum above 2^53 that got rounded is far above every cap.
  const length = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  if (length > MAX_HEADER_BYTES) refuse('its header length is impossible', CUT_SHORT);
  if (LENGTH_BYTES + length > bytes.length) refuse('its header is longer than the file', CUT_SHORT);
  if (length > maxHeaderBytes) {
    const fix = `pass { maxHeaderBytes: ${length} } if you trust it`;
    refuse(`its header has ${length} bytes, above the limit of ${maxHeaderBytes}`, fix);
  }
  return length;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== OPEN_BRACE) refuse('its header is not a JSON object', CUT_SHORT);
  const text = decodeUtf8(bytes);
  if (text === undefined) refuse('its header is not UTF-8', CUT_SHORT);
  const fault = scanJson(text, MAX_DEPTH);
  if (fault !== undefined) refuse(`its header ${fault}`, SAVE_AGAIN);
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // The parser's message quotes the text.
    return refuse('its header is not valid JSON', CUT_SHORT);
  }
}

function readMetadata(value: unknown): Record<string, string> {
  const metadata = Object.create(null) as Record<string, string>;
  if (value === undefined) return metadata;
  if (!isRecord(value)) refuse('its metadata is not an object', SAVE_AGAIN);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') refuse('its metadata holds more than strings', SAVE_AGAIN);
    if (hasLoneSurrogate(key) || hasLoneSurrogate(text)) {
      refuse('its metadata holds text that UTF-8 cannot say', SAVE_AGAIN);
    }
    metadata[key] = text;
  }
  return metadata;
}

function readShape(value: unknown, which: string): number[] {
  if (!Array.isArray(value)) refuse(`${which} has no shape`, SAVE_AGAIN);
  if (value.length > MAX_RANK) refuse(`${which} has more than ${MAX_RANK} dimensions`, SAVE_AGAIN);
  return value.map((size: unknown) => {
    if (!isCount(size) || size > MAX_DIMENSION) {
      refuse(`${which} has an impossible dimension`, SAVE_AGAIN);
    }
    return size;
  });
}

/** Bytes that a tensor takes in the file. */
function sizeOf(dtype: string, shape: readonly number[], which: string): number {
  let bits = DTYPE_BITS.get(dtype)!;
  for (const size of shape) {
    bits *= size;
    if (!Number.isSafeInteger(bits)) refuse(`${which} is impossibly large`, SAVE_AGAIN);
  }
  if (bits % 8 !== 0) refuse(`${which} ends inside a byte`, SAVE_AGAIN);
  return bits / 8;
}

function readEntry(name: string, number: number, value: unknown): Entry {
  const which = `tensor ${number} of its header`;
  if (hasLoneSurrogate(name)) refuse(`${which} has a name that UTF-8 cannot say`, SAVE_AGAIN);
  if (!isRecord(value)) refuse(`${which} is not an object`, SAVE_AGAIN);
  const dtype = own(value, 'dtype');
  if (typeof dtype !== 'string' || !DTYPE_BITS.has(dtype)) {
    refuse(`${which} has an unknown dtype`, 'save it as F32, or update this package');
  }
  const shape = readShape(own(value, 'shape'), which);
  const offsets = own(value, 'data_offsets');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    refuse(`${which} has no data offsets`, SAVE_AGAIN);
  }
  const [begin, end] = offsets as [number, number];
  if (end - begin !== sizeOf(dtype, shape, which)) {
    refuse(`${which} has another size than its shape and dtype`, SAVE_AGAIN);
  }
  return { name, number, dtype, shape, begin, end };
}

/**
 * Every byte of the data belongs to exactly one tensor: no gap, no overlap, nothing hidden behind
 * the last.
 */
function checkLayout(entries: readonly Entry[], dataBytes: number): void {
  let expected = 0;
  for (const { begin, end, number } of entries) {
    if (begin !== expected) {
      refuse(`tensor ${number} of its header leaves a gap or overlaps another`, SAVE_AGAIN);
    }
    expected = end;
  }
  if (expected > dataBytes) refuse('its data ends before its last tensor', CUT_SHORT);
  if (expected < dataBytes) refuse('bytes follow its last tensor', SAVE_AGAIN);
}

function checkSize(entries: readonly Entry[], maxBytes: number): void {
  let total = 0;
  for (const { shape } of entries) total += 4 * shape.reduce((product, size) => product * size, 1);
  if (total <= maxBytes) return;
  const message = `the file's tensors take ${total} bytes as f32, above the limit of ${maxBytes}; pass { maxBytes: ${total} } if you trust it`;
  throw new GatefoldError('ERR_MEMORY', message);
}

/** The difference of a number with itself is 0, that of NaN or an infinity is none. */
function areFinite(data: Float32Array): boolean {
  for (let i = 0; i < data.length; i++) if (data[i]! - data[i]! !== 0) return false;
  return true;
}

/** Reads and checks a whole safetensors file; what it returns shares no memory with `source`. */
export function readSafetensors(
  source: Uint8Array | ArrayBuffer,
  options: ReadOptions = {},
): SafetensorsFile {
  return viewSafetensors(source, options, true);
}

/** The same; what it returns may be views of `source`, for whoever is done with them at once. */
export function viewSafetensors(
  source: Uint8Array | ArrayBuffer,
  options: ReadOptions = {},
  isOwn = false,
): SafetensorsFile {
  const bytes = asBytes(source);
  checkKeys('options', options, ['maxHeaderBytes', 'maxBytes', 'checkFinite']);
  const maxHeaderBytes = checkInteger(
    'maxHeaderBytes',
    options.maxHeaderBytes ?? MIB,
    0,
    MAX_HEADER_BYTES,
  );
  const maxBytes = checkInteger(
    'maxBytes',
    options.maxBytes ?? Math.max(256 * MIB, bytes.length),
    0,
    Number.MAX_SAFE_INTEGER,
  );
  const headerBytes = readHeaderLength(bytes, maxHeaderBytes);
  const dataStart = LENGTH_BYTES + headerBytes;
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, dataStart));
  const metadata = readMetadata(own(header, METADATA));
  const names = Object.keys(header).filter((name) => name !== METADATA);
  if (names.length > MAX_TENSORS) refuse(`it holds more than ${MAX_TENSORS} tensors`, SAVE_AGAIN);
  const entries = names.map((name, i) => readEntry(name, i + 1, header[name]));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, bytes.length - dataStart);
  const converts = ({ dtype }: Entry): boolean => CONVERT.has(dtype);
  checkSize(entries.filter(converts), maxBytes);

  const tensors = new Map<string, SafetensorsTensor>();
  const skipped: SkippedTensor[] = [];
  for (const { name, number, dtype, shape, begin, end } of entries) {
    const convert = CONVERT.get(dtype);
    if (!convert) {
      skipped.push({ name, dtype, shape });
      continue;
    }
    const converted = convert(bytes.subarray(dataStart + begin, dataStart + end));
    const data = isOwn && converted.buffer === bytes.buffer ? converted.slice() : converted;
    if (options.checkFinite && !areFinite(data)) {
      refuse(`tensor ${number} of its header holds NaN or infinity`, 'it comes from a failed run');
    }
    tensors.set(name, { dtype, shape, data });
  }
  return { tensors, skipped, metadata };
}
