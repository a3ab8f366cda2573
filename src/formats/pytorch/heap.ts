import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';

/** A value of a pickle: below 0 a whole number n as -1 - n, else a place in the heap. */
export type Value = number;

export const NONE = 0;
export const TRUE = 1;
export const FALSE = 2;

/** What a value is. Everything that a pickle would have made by a call is a record. */
export const KIND = {
  constant: 0,
  /** A negative number. */
  integer: 1,
  /** Eight bytes, the first the highest. */
  float: 2,
  /** A number in digits. */
  digits: 3,
  /** A whole number in bytes, the first the lowest. */
  long: 4,
  text: 5,
  bytes: 6,
  tuple: 7,
  list: 8,
  dict: 9,
  set: 10,
  global: 11,
  record: 12,
  /** What a pickle leaves to whoever reads it: storages. */
  persistent: 13,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** How the bytes of a text say it. */
export const FORM = { utf8: 0, latin1: 1, escaped: 2 } as const;

const PAGE_BITS = 8;
const PAGE = 1 << PAGE_BITS;

/** Whole numbers in pages: they grow without a copy. */
export class Words {
  length = 0;
  readonly #pages: Int32Array[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  push(value: number): void {
    const at = this.length;
    if (at >= this.#most) tooMany();
    if (at >> PAGE_BITS >= this.#pages.length) this.#pages.push(new Int32Array(PAGE));
    this.#pages[at >> PAGE_BITS]![at & (PAGE - 1)] = value;
    this.length = at + 1;
  }

  get(at: number): number {
    return this.#pages[at >> PAGE_BITS]![at & (PAGE - 1)]!;
  }

  set(at: number, value: number): void {
    this.#pages[at >> PAGE_BITS]![at & (PAGE - 1)] = value;
  }
}

function tooMany(): never {
  const message =
    'the pickle holds more values than a model of its size: save the state_dict alone';
  throw new GatefoldError('ERR_MEMORY', message);
}

/** Most values, and most places in lists, of a file of so many bytes. */
export interface HeapLimits {
  readonly values: number;
  readonly places: number;
}

export function limitsOf(bytes: number): HeapLimits {
  return { values: 16_384 + Math.floor(bytes / 20), places: 32_768 + Math.floor(bytes / 10) };
}

const MAX_GLOBAL = 256;
const NODE_WORDS = 4;
const CELL_WORDS = 2;
const EXTRA_WORDS = 3;
const ROOM: DataView = new DataView(new ArrayBuffer(8));

/**
 * The values of a file's pickles, as words: what a pickle says takes no more memory than its own
 * bytes, whatever it says. Texts and numbers stay in the file until somebody asks.
 */
export class Heap {
  readonly bytes: Uint8Array;
  readonly limits: HeapLimits;
  /** Kind and three fields of every value. */
  readonly #nodes: Words;
  /** Value and next cell of every place in a container; cell 0 ends all. */
  readonly #cells: Words;
  /** Callable, arguments and state of every record. */
  readonly #extras: Words;

  constructor(bytes: Uint8Array, limits: HeapLimits = limitsOf(bytes.length)) {
    this.bytes = bytes;
    this.limits = limits;
    this.#nodes = new Words(NODE_WORDS * limits.values);
    this.#cells = new Words(CELL_WORDS * limits.places);
    this.#extras = new Words(EXTRA_WORDS * limits.values);
    for (const value of [NONE, TRUE, FALSE]) this.node(KIND.constant, value);
    this.#cell(NONE);
  }

  /** Values so far. */
  get count(): number {
    return this.#nodes.length / NODE_WORDS;
  }

  node(kind: Kind, a = 0, b = 0, c = 0): Value {
    const value = this.count;
    this.#nodes.push(kind);
    this.#nodes.push(a);
    this.#nodes.push(b);
    this.#nodes.push(c);
    return value;
  }

  /** A whole number of 32 bits. */
  integer(value: number): Value {
    return value >= 0 ? -1 - value : this.node(KIND.integer, value);
  }

  record(callable: Value, args: Value): Value {
    const extra = this.#extras.length;
    this.#extras.push(callable);
    this.#extras.push(args);
    this.#extras.push(NONE);
    return this.node(KIND.record, 0, 0, extra);
  }

  #cell(value: Value): number {
    const cell = this.#cells.length;
    this.#cells.push(value);
    this.#cells.push(0);
    return cell;
  }

  /** Adds a value to a container or a record. */
  add(container: Value, value: Value): void {
    const cell = this.#cell(value);
    const at = container * NODE_WORDS;
    const last = this.#nodes.get(at + 2);
    if (last) this.#cells.set(last + 1, cell);
    else this.#nodes.set(at + 1, cell);
    this.#nodes.set(at + 2, cell);
  }

  setState(record: Value, state: Value): void {
    this.#extras.set(this.field(record, 2) + 2, state);
  }

  kind(value: Value): Kind {
    return value < 0 ? KIND.integer : (this.#nodes.get(value * NODE_WORDS) as Kind);
  }

  is(value: Value, ...kinds: readonly Kind[]): boolean {
    return kinds.includes(this.kind(value));
  }

  field(value: Value, n: 0 | 1 | 2): number {
    return this.#nodes.get(value * NODE_WORDS + 1 + n);
  }

  callable(record: Value): Value {
    return this.#extras.get(this.field(record, 2));
  }

  args(record: Value): Value {
    return this.#extras.get(this.field(record, 2) + 1);
  }

  state(record: Value): Value {
    return this.#extras.get(this.field(record, 2) + 2);
  }

  /** What a container or a record holds, in order; of dicts and records keys and values in turn. */
  *items(container: Value): Generator<Value> {
    for (let cell = this.field(container, 0); cell; cell = this.#cells.get(cell + 1)) {
      yield this.#cells.get(cell);
    }
  }

  *pairs(container: Value): Generator<readonly [Value, Value]> {
    let key: Value | undefined;
    for (const item of this.items(container)) {
      if (key !== undefined) yield [key, item];
      key = key === undefined ? item : undefined;
    }
  }

  /** The first items of a tuple or list. */
  list(value: Value, most: number): Value[] {
    const found: Value[] = [];
    if (!this.is(value, KIND.tuple, KIND.list)) return found;
    for (const item of this.items(value)) {
      if (found.length === most) break;
      found.push(item);
    }
    return found;
  }

  /** The value of a dict by a key of ASCII, at most so many keys in. */
  get(dict: Value, key: string, most = 256): Value | undefined {
    if (!this.is(dict, KIND.dict)) return undefined;
    let left = most;
    for (const [name, value] of this.pairs(dict)) {
      if (left-- === 0) break;
      if (this.isText(name, key)) return value;
    }
    return undefined;
  }

  /** Whether a value is a text of ASCII; long ones are not looked at. */
  isText(value: Value, text: string): boolean {
    return (
      this.is(value, KIND.text) && this.field(value, 1) === text.length && this.text(value) === text
    );
  }

  /** The bytes of a text, or of bytes. */
  raw(value: Value): Uint8Array {
    const start = this.field(value, 0);
    return this.bytes.subarray(start, start + this.field(value, 1));
  }

  text(value: Value): string | undefined {
    if (!this.is(value, KIND.text)) return undefined;
    const raw = this.raw(value);
    const form = this.field(value, 2);
    if (form === FORM.utf8) return decodeUtf8(raw);
    const text = decodeUtf8(raw) ?? String.fromCharCode(...raw.subarray(0, 1024));
    return form === FORM.latin1 ? text : unescaped(text);
  }

  number(value: Value): number | undefined {
    if (value < 0) return -1 - value;
    const [a, b] = [this.field(value, 0), this.field(value, 1)];
    switch (this.kind(value)) {
      case KIND.integer:
        return a;
      case KIND.float:
        for (let k = 0; k < 8; k++) ROOM.setUint8(k, this.bytes[a + k]!);
        return ROOM.getFloat64(0);
      case KIND.digits:
        return Number(String.fromCharCode(...this.bytes.subarray(a, a + b)));
      case KIND.long:
        return longOf(this.bytes.subarray(a, a + b));
      default:
        return undefined;
    }
  }

  /** Both names of a global, with a dot between; long ones are nobody's. */
  global(value: Value): string | undefined {
    if (!this.is(value, KIND.global)) return undefined;
    const [module, name] = [this.field(value, 0), this.field(value, 1)].map((text) => {
      return this.field(text, 1) > MAX_GLOBAL ? 'a very long name' : this.text(text);
    });
    return `${module}.${name}`;
  }
}

/** A number of so many bytes; `undefined` where a double has not all of its digits. */
function longOf(bytes: Uint8Array): number | undefined {
  if (bytes.length > 8) return undefined;
  let value = 0;
  for (let k = bytes.length - 1; k >= 0; k--) value = value * 256 + bytes[k]!;
  if (bytes.length && bytes.at(-1)! & 0x80) value -= 2 ** (8 * bytes.length);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A text of protocol 0: escapes of Python. */
function unescaped(text: string): string {
  return text.replace(/\\(?:x([\da-f]{2})|u([\da-f]{4})|([nrt\\'"]))/gi, (_, x, u, letter) => {
    if (letter === undefined) return String.fromCharCode(parseInt(x ?? u, 16));
    return { n: '\n', r: '\r', t: '\t' }[letter as string] ?? (letter as string);
  });
}
