/**
 * HDF5 as Keras writes it, and no more: superblock 0, groups of symbol tables, object headers of
 * version 1, datasets in one piece, attributes of numbers and texts.
 *
 *     superblock -> object header of the root group -> messages
 *       a group:   symbol table -> B-tree -> symbol nodes -> name in the local heap, object header
 *       a dataset: dataspace, datatype, layout (where the bytes are)
 *       of both:   attributes; texts of any length are in the global heap
 *
 * The reader trusts nothing. Parts of a file do not overlap, so all that is walked through is never
 * more than the file: `#claim` counts it, which ends circles and bounds time and memory.
 */
import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';
import { CONVERT } from '../safetensors/dtypes.ts';

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const MAX_RANK = 8;
/** Objects and names of objects; far above what any model has. */
const MAX_OBJECTS = 65_536;
const MAX_DEPTH = 16;
/** An address or a length that is none: eight bytes of ones, as a number. */
const NOWHERE = 2 ** 64;

const SUPERBLOCK_BYTES = 96;
const ROOT_HEADER = 64;
const SYMBOL_BYTES = 40;

/** Messages of an object header that are read, or tell what cannot be. */
const MESSAGE = {
  dataspace: 1,
  links: 2,
  datatype: 3,
  link: 6,
  external: 7,
  layout: 8,
  filters: 11,
  attribute: 12,
  continuation: 16,
  symbols: 17,
  denseAttributes: 21,
} as const;

/** Those that are refused, by what they are called. */
const FOREIGN: ReadonlyMap<number, string> = new Map([
  [MESSAGE.links, 'groups of the newer kind (libver="latest")'],
  [MESSAGE.link, 'groups of the newer kind (libver="latest")'],
  [MESSAGE.external, 'data in other files'],
  [MESSAGE.filters, 'compressed datasets'],
  [MESSAGE.denseAttributes, 'attributes of the newer kind (libver="latest")'],
]);

const FIX = 'copy or save it again';

function damaged(problem: string): never {
  throw new GatefoldError('ERR_FORMAT', `not an HDF5 file to trust: ${problem}; ${FIX}`);
}

function foreign(what: string, where: string): never {
  const fix = 'save the model again with Keras, or its arrays with plain h5py';
  throw new GatefoldError('ERR_UNSUPPORTED', `"${where}": HDF5 with ${what} is not read; ${fix}`);
}

/** Whether bytes begin as those of an HDF5 file do. */
export function isHdf5(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, k) => bytes[k] === byte);
}

/** How elements are written. */
type Kind =
  | { readonly kind: 'number'; readonly dtype: string; readonly size: number }
  /** A text of `size` bytes, of which trailing ones are padding. */
  | { readonly kind: 'text'; readonly size: number }
  /** A text in the global heap. */
  | { readonly kind: 'heap'; readonly size: number };

/** Elements somewhere in the file. */
interface Elements {
  readonly shape: readonly number[];
  readonly count: number;
  readonly type: Kind;
  /** The first byte; -1 where there is none, nor any element. */
  readonly at: number;
}

/** A dataset of numbers. */
export interface Hdf5Dataset {
  readonly shape: readonly number[];
  /** As safetensors files call it: F16, F32, F64, I8 to U64. */
  readonly dtype: string;
  /** The file's own bytes, little-endian. */
  readonly bytes: Uint8Array;
}

interface Message {
  readonly type: number;
  readonly at: number;
  readonly length: number;
}

/** A group or a dataset. */
export class Hdf5Object {
  readonly #file: Hdf5File;
  readonly #messages: readonly Message[];
  readonly path: string;
  #children: ReadonlyMap<string, number> | undefined;

  constructor(file: Hdf5File, messages: readonly Message[], path: string) {
    this.#file = file;
    this.#messages = messages;
    this.path = path;
  }

  get isGroup(): boolean {
    return this.#find(MESSAGE.symbols) !== undefined;
  }

  /** Names in the order of the file, which is that of their bytes. */
  get names(): string[] {
    return [...this.#members.keys()];
  }

  /** What stands under a path of names, such as `cell/vars/0`; `undefined` where nothing does. */
  get(path: string): Hdf5Object | undefined {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    if (names.length > MAX_DEPTH) return undefined;
    return names.reduce<Hdf5Object | undefined>((object, name) => object?.child(name), this);
  }

  /** A member of the group by its name. */
  child(name: string): Hdf5Object | undefined {
    const header = this.#members.get(name);
    return header === undefined ? undefined : this.#file.open(header, `${this.path}/${name}`);
  }

  /** Names of the attributes. */
  get attributes(): string[] {
    return [...this.#attributes()].map(([name]) => name);
  }

  /** The texts of an attribute, one or a list; `undefined` where there is none of this name. */
  texts(name: string): string[] | undefined {
    for (const [own, message, head] of this.#attributes()) {
      if (own === name) return this.#file.texts(message, head, `${this.path}@${name}`);
    }
    return undefined;
  }

  /** The numbers of a dataset. */
  read(): Hdf5Dataset {
    const layout = this.#find(MESSAGE.layout);
    if (!layout) damaged(`"${this.path}" is no dataset`);
    return this.#file.dataset(
      this.#find(MESSAGE.dataspace),
      this.#find(MESSAGE.datatype),
      layout,
      this.path,
    );
  }

  get #members(): ReadonlyMap<string, number> {
    const symbols = this.#find(MESSAGE.symbols);
    this.#children ??= symbols ? this.#file.members(symbols, this.path) : new Map();
    return this.#children;
  }

  #find(type: number): Message | undefined {
    return this.#messages.find((message) => message.type === type);
  }

  *#attributes(): Generator<[string, Message, AttributeHead]> {
    for (const message of this.#messages) {
      if (message.type !== MESSAGE.attribute) continue;
      const head = this.#file.attribute(message);
      yield [head.name, message, head];
    }
  }
}

interface AttributeHead {
  readonly name: string;
  readonly datatype: Message;
  readonly dataspace: Message;
  readonly at: number;
}

/** An HDF5 file: `root` is the group at its top. */
export class Hdf5File {
  readonly root: Hdf5Object;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #objects = new Map<number, Hdf5Object>();
  /** Of each collection of the global heap: index and place of its objects, in turn. */
  readonly #heaps = new Map<number, Uint32Array>();
  /** Bytes that no part of the file has taken yet. */
  #left: number;
  #names = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#left = bytes.length;
    if (!isHdf5(bytes)) damaged('it does not begin as one');
    if (bytes.length < SUPERBLOCK_BYTES) damaged('it was cut short');
    const version = bytes[8]!;
    if (version !== 0) foreign(`superblock ${version} (libver="latest")`, '/');
    if (bytes[13] !== 8 || bytes[14] !== 8) foreign('addresses of other than 8 bytes', '/');
    if (this.#long(24, 'base address') !== 0) foreign('a user block', '/');
    this.#claim(0, SUPERBLOCK_BYTES, 'its superblock');
    this.root = this.open(this.#long(ROOT_HEADER, 'root group'), '');
  }

  /** The object whose header is there. */
  open(header: number, path: string): Hdf5Object {
    const known = this.#objects.get(header);
    if (known) return known;
    if (this.#objects.size === MAX_OBJECTS) damaged(`it has more than ${MAX_OBJECTS} objects`);
    const object = new Hdf5Object(this, this.#messages(header, path || '/'), path);
    this.#objects.set(header, object);
    return object;
  }

  /** The members of a group: names, and where the headers are. */
  members({ at, length }: Message, path: string): Map<string, number> {
    const where = `the group "${path}"`;
    if (length < 16) damaged(`${where} is too short`);
    const heap = this.#long(at + 8, where);
    this.#signed(heap, 'HEAP', 32, where);
    const [size, start] = [this.#long(heap + 8, where), this.#long(heap + 24, where)];
    this.#check(start, size, where);
    const members = new Map<string, number>();
    const nodes = [this.#long(at, where)];
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      this.#check(node, 8, where);
      if (this.#isSigned(node, 'SNOD')) {
        const count = this.#view.getUint16(node + 6, true);
        this.#claim(node, 8 + count * SYMBOL_BYTES, where);
        this.#names += count;
        if (this.#names > MAX_OBJECTS) damaged(`it has more than ${MAX_OBJECTS} objects`);
        for (let k = 0; k < count; k++) {
          const symbol = node + 8 + k * SYMBOL_BYTES;
          const name = this.#nameAt(start, size, this.#long(symbol, where), where);
          // Soft links have a path in place of a header.
          if (this.#view.getUint32(symbol + 16, true) === 2) foreign('soft links', path || '/');
          members.set(name, this.#long(symbol + 8, where));
        }
        continue;
      }
      this.#signed(node, 'TREE', 24, where);
      if (this.#bytes[node + 4] !== 0) damaged(`${where} has a tree of another kind`);
      const used = this.#view.getUint16(node + 6, true);
      this.#claim(node + 24, 8 + used * 16, where);
      for (let k = used - 1; k >= 0; k--) nodes.push(this.#long(node + 32 + k * 16, where));
    }
    return members;
  }

  /** What an attribute says of itself before its elements. */
  attribute({ at, length }: Message): AttributeHead {
    const where = 'an attribute';
    if (length < 9) damaged(`${where} is too short`);
    const version = this.#bytes[at]!;
    if (version < 1 || version > 3) damaged(`${where} has version ${version}`);
    const flags = version === 1 ? 0 : this.#bytes[at + 1]!;
    if (flags !== 0) foreign('shared datatypes', where);
    const sizes = [2, 4, 6].map((k) => this.#view.getUint16(at + k, true));
    const pad = (size: number): number => (version === 1 ? (size + 7) & ~7 : size);
    const name = at + (version === 3 ? 9 : 8);
    const datatype = name + pad(sizes[0]!);
    const dataspace = datatype + pad(sizes[1]!);
    const data = dataspace + pad(sizes[2]!);
    if (data > at + length) damaged(`${where} is longer than its message`);
    return {
      name: this.#text(name, sizes[0]!, where),
      datatype: { type: MESSAGE.datatype, at: datatype, length: sizes[1]! },
      dataspace: { type: MESSAGE.dataspace, at: dataspace, length: sizes[2]! },
      at: data,
    };
  }

  /** The texts of an attribute. */
  texts(message: Message, head: AttributeHead, where: string): string[] {
    const { type, count, at } = this.#elements(head.dataspace, head.datatype, head.at, where);
    // A list without elements is one of numbers to NumPy.
    if (count === 0) return [];
    if (type.kind === 'number') foreign('a number in place of a text', where);
    if (count * type.size > message.at + message.length - at) damaged(`"${where}" is cut short`);
    const { kind, size } = type;
    const texts: string[] = [];
    for (let k = 0; k < count; k++) {
      const place = at + k * size;
      texts.push(kind === 'text' ? this.#text(place, size, where) : this.#heapText(place, where));
    }
    return texts;
  }

  dataset(
    dataspace: Message | undefined,
    datatype: Message | undefined,
    layout: Message,
    where: string,
  ): Hdf5Dataset {
    if (!dataspace || !datatype) damaged(`the dataset "${where}" says no shape or type`);
    const { at, bytes } = this.#place(layout, where);
    const { shape, count, type } = this.#elements(dataspace, datatype, at, where);
    if (type.kind !== 'number') foreign('texts in place of numbers', where);
    const length = count * type.size;
    if (length > bytes) damaged(`the dataset "${where}" has fewer bytes than its shape says`);
    if (length && at === NOWHERE) damaged(`the dataset "${where}" was never written`);
    if (length) this.#check(at, length, where);
    const own = length ? this.#bytes.subarray(at, at + length) : new Uint8Array();
    return { shape, dtype: type.dtype, bytes: own };
  }

  /** Where the bytes of a dataset are, and how many. */
  #place({ at, length }: Message, where: string): { at: number; bytes: number } {
    const [version, kind] = [this.#bytes[at]!, this.#bytes[at + 1]!];
    if (version < 3) foreign(`layout ${version} of datasets`, where);
    if (kind === 0 && length >= 4) {
      const bytes = this.#view.getUint16(at + 2, true);
      if (bytes > length - 4) damaged(`the dataset "${where}" is cut short`);
      return { at: at + 4, bytes };
    }
    if (kind !== 1 || length < 18) foreign('datasets in chunks', where);
    return { at: this.#long(at + 2, where), bytes: this.#long(at + 10, where) };
  }

  #elements(dataspace: Message, datatype: Message, at: number, where: string): Elements {
    const shape = this.#shape(dataspace, where);
    let count = 1;
    for (const size of shape) {
      count *= size;
      if (!Number.isSafeInteger(count * 16)) damaged(`"${where}" is impossibly large`);
    }
    return { shape, count, type: this.#type(datatype, where), at };
  }

  #shape({ at, length }: Message, where: string): number[] {
    if (length < 4) damaged(`the shape of "${where}" is cut short`);
    const [version, rank, flags, kind] = this.#bytes.subarray(at, at + 4) as unknown as number[];
    if (version !== 1 && version !== 2) damaged(`the shape of "${where}" has version ${version}`);
    // Version 2 tells apart a scalar, a list, and no element at all.
    if (version === 2 && kind === 2) return [0];
    if (rank! > MAX_RANK) damaged(`"${where}" has more than ${MAX_RANK} dimensions`);
    if (flags! & ~1) foreign('permuted shapes', where);
    const start = version === 1 ? 8 : 4;
    if (start + 8 * rank! > length) damaged(`the shape of "${where}" is cut short`);
    return Array.from({ length: rank! }, (_, k) => this.#long(at + start + 8 * k, where));
  }

  #type({ at, length }: Message, where: string): Kind {
    if (length < 8) damaged(`the type of "${where}" is cut short`);
    const [kind, bits] = [this.#bytes[at]! & 15, this.#bytes[at + 1]!];
    const size = this.#view.getUint32(at + 4, true);
    if (kind === 3) return { kind: 'text', size };
    if (kind === 9 && (bits & 15) === 1 && size === 16) return { kind: 'heap', size };
    if (kind > 1 || bits & 1) foreign(`datatypes of class ${kind}`, where);
    const letter = kind === 1 ? 'F' : bits & 8 ? 'I' : 'U';
    const dtype = `${letter}${size * 8}`;
    const isWhole = length < 12 || this.#view.getUint16(at + 10, true) === size * 8;
    if (!isWhole || !/^(?:F16|F32|F64|[IU](?:8|16|32|64))$/.test(dtype)) {
      foreign(`the datatype ${dtype}`, where);
    }
    // A bfloat16 has as many bits as a float16.
    if (dtype === 'F16' && length >= 14 && this.#bytes[at + 13] !== 5) foreign('bfloat16', where);
    return { kind: 'number', dtype, size };
  }

  /** The messages of an object header, block after block. */
  #messages(header: number, path: string): Message[] {
    const where = `the header of "${path}"`;
    this.#check(header, 16, where);
    if (this.#isSigned(header, 'OHDR')) foreign('object headers 2 (libver="latest")', path);
    if (this.#bytes[header] !== 1) damaged(`${where} has version ${this.#bytes[header]}`);
    this.#claim(header, 16, where);
    const messages: Message[] = [];
    const blocks = [[header + 16, this.#view.getUint32(header + 8, true)] as const];
    let left = this.#view.getUint16(header + 2, true);
    for (let block = blocks.pop(); block; block = blocks.pop()) {
      this.#claim(block[0], block[1], where);
      const end = block[0] + block[1];
      for (let at = block[0]; at + 8 <= end && left > 0; left--) {
        const type = this.#view.getUint16(at, true);
        const length = this.#view.getUint16(at + 2, true);
        const isShared = (this.#bytes[at + 4]! & 2) !== 0;
        at += 8;
        if (at + length > end) damaged(`${where} has a message that is too long`);
        const what = isShared ? 'shared messages' : FOREIGN.get(type);
        if (what) foreign(what, path);
        const isRead = type === MESSAGE.continuation ? length >= 16 : length >= 2;
        if (type === MESSAGE.continuation && isRead) {
          blocks.push([this.#long(at, where), this.#long(at + 8, where)]);
        } else if (isRead && READ.has(type)) {
          messages.push({ type, at, length });
        }
        at += length;
      }
    }
    return messages;
  }

  /** A text out of the global heap: length, collection and index of an object. */
  #heapText(at: number, where: string): string {
    const length = this.#view.getUint32(at, true);
    if (length === 0) return '';
    const collection = this.#long(at + 4, where);
    const index = this.#view.getUint32(at + 12, true);
    const objects = this.#heap(collection, where);
    // Objects nearly always stand in the order of their indices, which begin at 1.
    let k = 2 * (index - 1);
    if (objects[k] !== index) {
      this.#spend(objects.length, where);
      for (k = 0; k < objects.length && objects[k] !== index;) k += 2;
    }
    const place = objects[k + 1];
    if (place === undefined) damaged(`"${where}" has a text that is nowhere`);
    if (this.#long(place + 8, where) < length) damaged(`"${where}" has a text that is too long`);
    this.#spend(length, where);
    return this.#text(place + 16, length, where);
  }

  #heap(collection: number, where: string): Uint32Array {
    const known = this.#heaps.get(collection);
    if (known) return known;
    this.#signed(collection, 'GCOL', 16, where);
    const size = this.#long(collection + 8, where);
    this.#claim(collection, size, where);
    const end = collection + size;
    const each = (visit: (at: number) => void): number => {
      let count = 0;
      for (let at = collection + 16; at + 16 <= end; count++) {
        if (this.#view.getUint16(at, true) === 0) break;
        const length = this.#long(at + 8, where);
        if (length > end - at - 16) damaged(`"${where}" has a text that is too long`);
        visit(at);
        at += 16 + ((length + 7) & ~7);
      }
      return count;
    };
    const objects = new Uint32Array(2 * each(() => {}));
    let k = 0;
    each((at) => objects.set([this.#view.getUint16(at, true), at], 2 * k++));
    this.#heaps.set(collection, objects);
    return objects;
  }

  /** A name of the local heap, which ends with a 0. */
  #nameAt(start: number, size: number, offset: number, where: string): string {
    if (offset >= size) damaged(`${where} has a name that is nowhere`);
    const end = this.#bytes.indexOf(0, start + offset);
    if (end < 0 || end > start + size) damaged(`${where} has a name without an end`);
    const length = end - start - offset;
    this.#claim(start + offset, length, where);
    return this.#text(start + offset, length, where);
  }

  /** A text without what pads it at its end. */
  #text(at: number, length: number, where: string): string {
    this.#check(at, length, where);
    let end = at + length;
    while (end > at && this.#bytes[end - 1] === 0) end--;
    const text = decodeUtf8(this.#bytes.subarray(at, end));
    return text ?? damaged(`${where} has a text that is not UTF-8`);
  }

  /** A number of eight bytes. */
  #long(at: number, where: string): number {
    this.#check(at, 8, where);
    const [low, high] = [this.#view.getUint32(at, true), this.#view.getUint32(at + 4, true)];
    // Those that float64 would round are far beyond every file.
    return high < 2 ** 21 ? high * 2 ** 32 + low : NOWHERE;
  }

  #isSigned(at: number, signature: string): boolean {
    for (let k = 0; k < 4; k++) {
      if (this.#bytes[at + k] !== signature.charCodeAt(k)) return false;
    }
    return true;
  }

  #signed(at: number, signature: string, length: number, where: string): void {
    this.#claim(at, length, where);
    if (!this.#isSigned(at, signature)) damaged(`${where} has no ${signature} where it should`);
  }

  #check(at: number, length: number, where: string): void {
    if (at + length <= this.#bytes.length) return;
    damaged(`${where} reaches beyond the end of the file`);
  }

  /** Takes bytes of the file for one of its parts. */
  #claim(at: number, length: number, where: string): void {
    this.#check(at, length, where);
    this.#spend(length, where);
  }

  #spend(length: number, where: string): void {
    this.#left -= length;
    if (this.#left < 0) damaged(`${where} overlaps other parts of it`);
  }
}

const READ: ReadonlySet<number> = new Set(Object.values(MESSAGE));

/** A dataset as float32, in a view of the file where that is possible. */
export function floatsOf({ dtype, bytes }: Hdf5Dataset, name: string): Float32Array {
  const convert = CONVERT.get(dtype) ?? foreign(`the datatype ${dtype}`, name);
  return convert(bytes);
}
