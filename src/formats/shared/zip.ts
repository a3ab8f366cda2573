/**
 * Zip archives, as `torch.save`, Keras and NumPy write them: entries stored or deflated, also in
 * the form of zip64.
 *
 *     ╒══ an entry ══╤════════╤═ ... ═╤══ directory ══╤═══ its end ════╕
 *     │ local header │ its    │       │ sizes, places │ zip64 end and  │
 *     │ and name     │ bytes  │       │ and names     │ locator, end   │
 *     └──────────────┴────────┴───────┴───────────────┴────────────────┘
 *
 * The directory alone is believed. Every entry lies within the file and apart from the others, so
 * that what is taken from the archive is never more than the file and its limit.
 */
import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';
import { inflate } from './inflate.ts';

export interface ZipLimits {
  /** Most entries. */
  readonly maxEntries: number;
  /** Most bytes that all deflated entries together may take. */
  readonly maxInflated: number;
  /** Whether checksums are looked at; default true. `torch.save` may be told to leave them out. */
  readonly checksums?: boolean;
}

export interface ZipEntry {
  /** As the archive spells it, backslashes too. */
  readonly name: string;
  /** Of its contents. */
  readonly length: number;
  /** The contents: a view of the archive where they are stored, else inflated at every call. */
  bytes(): Uint8Array;
}

const [LOCAL, DIRECTORY, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const [END_64, LOCATOR_64] = [0x06064b50, 0x07064b50];
/** Bytes of what stands before names, of the end, and of zip64's end and locator. */
const [LOCAL_BYTES, DIRECTORY_BYTES, END_BYTES] = [30, 46, 22];
const [END_64_BYTES, LOCATOR_BYTES] = [56, 20];
const MAX_COMMENT = 0xffff;
/** Stands for a number that the zip64 form has. */
const ELSEWHERE = 0xffffffff;
const EXTRA_64 = 1;
const [STORED, DEFLATED] = [0, 8];
const ENCRYPTED = 1;

const SAVE_AGAIN = 'it was cut short or damaged: copy or save it again';

function refuse(problem: string, fix: string = SAVE_AGAIN): never {
  throw new GatefoldError('ERR_FORMAT', `not a zip archive to trust: ${problem}; ${fix}`);
}

/** Whether bytes begin like a zip archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= END_BYTES && [0x50, 0x4b, 3, 4].every((byte, k) => bytes[k] === byte);
}

/** Little-endian numbers, each within the bytes or refused. */
class Fields {
  readonly length: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  check(at: number, length: number): void {
    if (at < 0 || at + length > this.length) refuse('a part of it lies outside of the file');
  }

  u16(at: number): number {
    this.check(at, 2);
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    this.check(at, 4);
    return this.#view.getUint32(at, true);
  }

  u64(at: number): number {
    const value = this.u32(at + 4) * 2 ** 32 + this.u32(at);
    return Number.isSafeInteger(value) ? value : refuse('it holds an impossible number');
  }
}

interface Directory {
  readonly count: number;
  readonly start: number;
  readonly end: number;
}

/** Where the directory is: the last signature whose comment ends with the file says it. */
function findDirectory(fields: Fields): Directory {
  const last = fields.length - END_BYTES;
  let at = last;
  const isEnd = (): boolean => fields.u32(at) === END && fields.u16(at + 20) === last - at;
  while (at >= 0 && !isEnd()) at = last - at < MAX_COMMENT ? at - 1 : -1;
  if (at < 0) refuse('its end is missing');
  const locator = at - LOCATOR_BYTES;
  let [count, size, start] = [fields.u16(at + 10), fields.u32(at + 12), fields.u32(at + 16)];
  if (locator >= 0 && fields.u32(locator) === LOCATOR_64) {
    const end64 = fields.u64(locator + 8);
    fields.check(end64, END_64_BYTES);
    if (fields.u32(end64) !== END_64) refuse('its zip64 end is missing');
    count = fields.u64(end64 + 32);
    size = fields.u64(end64 + 40);
    start = fields.u64(end64 + 48);
  }
  const end = start + size;
  if (end > at) refuse('its directory lies outside of the file');
  if (count > size / DIRECTORY_BYTES) refuse('its directory is too short');
  return { count, start, end };
}

/** Sizes and place of an entry whose directory has them in the zip64 form. */
function widen(fields: Fields, start: number, end: number, values: number[]): void {
  for (let at = start; at + 4 <= end; at += 4 + fields.u16(at + 2)) {
    if (fields.u16(at) !== EXTRA_64) continue;
    const last = at + 4 + fields.u16(at + 2);
    let field = at + 4;
    values.forEach((value, k) => {
      if (value !== ELSEWHERE) return;
      if (field + 8 > Math.min(last, end)) refuse('an entry has no size');
      values[k] = fields.u64(field);
      field += 8;
    });
    return;
  }
}

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, value) => {
  let sum = value;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

/** The CRC-32 that zip and gzip keep; `before` is that of the bytes before these. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let sum = ~before;
  for (let at = 0; at < bytes.length; at++) sum = TABLE[(sum ^ bytes[at]!) & 0xff]! ^ (sum >>> 8);
  return ~sum >>> 0;
}

/** Old archives do not say how names are written: those that are not UTF-8 are taken as Latin-1. */
function nameOf(bytes: Uint8Array): string {
  return decodeUtf8(bytes) ?? Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}

/** An entry of the directory, before its place in the file has been checked. */
interface Listed {
  readonly name: string;
  readonly nameStart: number;
  readonly nameLength: number;
  readonly method: number;
  readonly checksum: number;
  readonly packed: number;
  readonly length: number;
  readonly place: number;
}

/** Where the contents of an entry begin. */
function startOf(bytes: Uint8Array, fields: Fields, entry: Listed): number {
  const { name, place, nameStart, nameLength } = entry;
  const start = place + LOCAL_BYTES;
  fields.check(place, LOCAL_BYTES);
  const isSame = fields.u32(place) === LOCAL && fields.u16(place + 26) === nameLength;
  fields.check(start, nameLength);
  for (let k = 0; k < nameLength || !isSame; k++) {
    if (isSame && bytes[start + k] === bytes[nameStart + k]) continue;
    refuse(`"${name.slice(0, 80)}" is not where its directory says`);
  }
  return start + nameLength + fields.u16(place + 28);
}

function listed(bytes: Uint8Array, fields: Fields, at: number): Listed & { next: number } {
  if (fields.u32(at) !== DIRECTORY) refuse('its directory is damaged');
  const nameLength = fields.u16(at + 28);
  const nameStart = at + DIRECTORY_BYTES;
  const extra = nameStart + nameLength;
  const comment = extra + fields.u16(at + 30);
  const next = comment + fields.u16(at + 32);
  fields.check(at, next - at);
  const name = nameOf(bytes.subarray(nameStart, extra));
  if (fields.u16(at + 8) & ENCRYPTED) {
    const message = `"${name.slice(0, 80)}" of the archive is encrypted; save it without a password`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const values = [24, 20, 42].map((field) => fields.u32(at + field));
  widen(fields, extra, comment, values);
  const [length, packed, place] = values as [number, number, number];
  const method = fields.u16(at + 10);
  const checksum = fields.u32(at + 16);
  return { name, nameStart, nameLength, method, checksum, packed, length, place, next };
}

/** The entries of a zip archive by name, all of them checked, none of them inflated yet. */
export function readZip(bytes: Uint8Array, limits: ZipLimits): Map<string, ZipEntry> {
  const fields = new Fields(bytes);
  const { count, start, end } = findDirectory(fields);
  if (count > limits.maxEntries) {
    const message = `the archive has ${count} entries, above the limit of ${limits.maxEntries}`;
    throw new GatefoldError('ERR_MEMORY', message);
  }
  const found: Listed[] = [];
  let at = start;
  for (let k = 0; k < count; k++) {
    const entry = listed(bytes, fields, at);
    at = entry.next;
    if (at > end) refuse('its directory is damaged');
    found.push(entry);
  }
  const inflated = found.reduce((sum, { method, length }) => sum + (method ? length : 0), 0);
  if (inflated > limits.maxInflated) {
    const message = `the archive takes ${inflated} bytes when inflated, above the limit of ${limits.maxInflated}`;
    throw new GatefoldError('ERR_MEMORY', message);
  }
  const entries = new Map<string, ZipEntry>();
  let taken = 0;
  const places = new Map<Listed, number>();
  for (const entry of [...found].sort((a, b) => a.place - b.place)) {
    const first = startOf(bytes, fields, entry);
    if (entry.place < taken) refuse('two of its entries overlap');
    taken = first + entry.packed;
    if (taken > start) refuse(`"${entry.name.slice(0, 80)}" is longer than the file`);
    places.set(entry, first);
  }
  for (const entry of found) {
    const { name, method, packed, length } = entry;
    if (entries.has(name)) refuse(`it has "${name.slice(0, 80)}" twice`);
    if (method === STORED && packed !== length) refuse(`"${name.slice(0, 80)}" has two sizes`);
    const first = places.get(entry)!;
    const own = bytes.subarray(first, first + packed);
    entries.set(name, { name, length, bytes: () => contents(entry, own, limits) });
  }
  return entries;
}

function contents(entry: Listed, packed: Uint8Array, { checksums = true }: ZipLimits): Uint8Array {
  const { method, length, checksum } = entry;
  const name = entry.name.slice(0, 80);
  if (method !== STORED && method !== DEFLATED) {
    const message = `"${name}" of the archive is packed by method ${method}; gatefold reads stored and deflated entries: pack it again`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const bytes = method === STORED ? packed : inflate(packed, length);
  if (!bytes) refuse(`"${name}" cannot be inflated to its ${length} bytes`);
  if (checksums && crc32(bytes) !== checksum) refuse(`the checksum of "${name}" is another`);
  return bytes;
}
