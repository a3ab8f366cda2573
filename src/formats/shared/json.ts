/**
 * JSON of model files: few names, and millions of numbers in lists within lists. `JSON.parse` makes
 * a value of each list and number, tens of bytes for two of the text. This parser keeps numbers
 * side by side in one array and makes a value only of what is none; it walks without recursion.
 */
import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';

/** Lists within lists of numbers, as many in each. An empty list is one too, of shape [0]. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly numbers: Float64Array;
}

/** Objects are maps: any name may be a key. */
export type Json =
  null | boolean | number | string | Numbers | readonly Json[] | ReadonlyMap<string, Json>;

const MAX_DEPTH = 32;
/** Most bytes of a text within the file. */
const MAX_TEXT = 65_536;
/** What is no number in a list takes memory of its own: so many are free, then one for 32 bytes. */
const FREE_VALUES = 4096;
const BYTES_A_VALUE = 32;

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [COMMA, COLON] = [0x2c, 0x3a];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];
const [ZERO, NINE, MINUS, POINT] = [0x30, 0x39, 0x2d, 0x2e];

/** Words, those that Python writes for numbers among them. */
const WORDS: readonly (readonly [string, null | boolean | number])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
];

/** Digits that one part of a number may have and be exact. */
const EXACT_DIGITS = 15;

/** A list or an object that is still open. */
interface Open {
  /** Of an object. */
  readonly map: Map<string, Json> | undefined;
  /** The name of the value that comes next. */
  key: string;
  /** Of a list with more than numbers in it. */
  list: Json[] | undefined;
  /** Of a list of numbers: where they begin, how many items there are, and their shape. */
  readonly start: number;
  count: number;
  inner: readonly number[] | undefined;
}

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

class Parser {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  readonly #numbers: Float64Array;
  #at = 0;
  #filled = 0;
  #left: number;
  #whole: Json = null;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
    this.#left = FREE_VALUES + bytes.length / BYTES_A_VALUE;
    let most = 1;
    for (let k = 0; k < bytes.length; k++)
      if (bytes[k] === COMMA || bytes[k] === OPEN_BRACKET) most++;
    this.#numbers = new Float64Array(most);
  }

  refuse(problem: string): never {
    const message = `not ${this.#what} to trust: it ${problem}; copy or save it again`;
    throw new GatefoldError('ERR_FORMAT', message);
  }

  /** The next byte that is no white space; NaN at the end. */
  #next(): number {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return NaN;
      if (byte > 0x20) return byte;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.#at++;
    }
  }

  /** Counts a value that takes memory of its own. */
  #value<T>(value: T): T {
    if (--this.#left >= 0) return value;
    const message = `${this.#what} holds too many values besides numbers for its size; save it again without what is not the model`;
    throw new GatefoldError('ERR_MEMORY', message);
  }

  #text(): string {
    const [bytes, start] = [this.#bytes, this.#at];
    let end = start + 1;
    while (bytes[end] !== QUOTE) {
      if (end >= bytes.length) this.refuse('is not valid JSON');
      end += bytes[end] === BACKSLASH ? 2 : 1;
    }
    if (end - start > MAX_TEXT) this.refuse(`has a text of more than ${MAX_TEXT} bytes`);
    this.#at = end + 1;
    const written = decodeUtf8(bytes.subarray(start, end + 1));
    try {
      return this.#value(JSON.parse(written ?? '') as string);
    } catch (error) {
      if (error instanceof GatefoldError) throw error;
      return this.refuse('has a text that is not UTF-8 as JSON writes it');
    }
  }

  #number(): number {
    const [bytes, start] = [this.#bytes, this.#at];
    const isNegative = bytes[start] === MINUS;
    let at = isNegative ? start + 1 : start;
    let whole = 0;
    const first = at;
    for (; bytes[at]! >= ZERO && bytes[at]! <= NINE; at++) whole = 10 * whole + bytes[at]! - ZERO;
    const next = bytes[at]! | 0x20;
    if (next !== (POINT | 0x20) && next !== 0x65 && at > first && at - first <= EXACT_DIGITS) {
      this.#at = at;
      return isNegative ? -whole : whole;
    }
    // Digits, signs, a point and an exponent, which `Number` checks.
    const isPart = (byte: number): boolean =>
      (byte >= ZERO && byte <= NINE) || (byte | 0x20) === 0x65 || (byte >= 0x2b && byte <= POINT);
    while (at < bytes.length && bytes[at] !== COMMA && isPart(bytes[at]!)) at++;
    const digits = bytes.subarray(start, at);
    const text = at - start > 1024 ? '' : String.fromCharCode.apply(undefined, digits as never);
    const value = text === '' ? NaN : Number(text);
    if (Number.isNaN(value)) return this.#word() as number;
    this.#at = at;
    return value;
  }

  #word(): null | boolean | number {
    const [bytes, start] = [this.#bytes, this.#at];
    for (const [word, value] of WORDS) {
      let k = 0;
      while (k < word.length && bytes[start + k] === word.charCodeAt(k)) k++;
      if (k < word.length) continue;
      this.#at = start + k;
      return value;
    }
    return this.refuse('is not valid JSON');
  }

  /** The items so far of a list as values of their own: it has something else than numbers. */
  #listOf(open: Open): Json[] {
    const { inner } = open;
    const size = inner ? inner.reduce((product, axis) => product * axis, 1) : 1;
    open.list ??= Array.from({ length: open.count }, (_, k) => {
      const from = open.start + k * size;
      if (!inner) return this.#value(this.#numbers[from]!);
      return this.#value({ shape: inner, numbers: this.#numbers.subarray(from, from + size) });
    });
    return open.list;
  }

  /** Puts a number, or the shape of the numbers that were just read, into a list. */
  #addNumbers(open: Open, inner: readonly number[] | undefined, start: number): void {
    const isLike =
      open.count === 0 || (inner && open.inner ? isSame(inner, open.inner) : inner === open.inner);
    if (!open.list && isLike) {
      open.count++;
      open.inner = inner;
      return;
    }
    this.#listOf(open).push(this.#value(this.#own(inner, start)));
  }

  #own(inner: readonly number[] | undefined, start: number): number | Numbers {
    if (!inner) return this.#numbers[start]!;
    return { shape: inner, numbers: this.#numbers.subarray(start, this.#filled) };
  }

  #key(open: Open): void {
    if (this.#next() !== QUOTE) this.refuse('is not valid JSON');
    open.key = this.#text();
    if (open.map!.has(open.key)) this.refuse('names the same thing twice');
    if (this.#next() !== COLON) this.refuse('is not valid JSON');
    this.#at++;
  }

  /** Puts what is neither a number nor a list of them where it belongs. */
  #add(parent: Open | undefined, value: Json): void {
    if (parent?.map) parent.map.set(parent.key, value);
    else if (parent) this.#listOf(parent).push(this.#value(value));
    else this.#whole = value;
  }

  #scalar(parent: Open | undefined, first: number): void {
    if (first === QUOTE) return this.#add(parent, this.#text());
    const isDigit = (first >= ZERO && first <= NINE) || first === MINUS;
    const value = isDigit ? this.#number() : this.#word();
    if (typeof value !== 'number' || !parent || parent.map) return this.#add(parent, value);
    this.#numbers[this.#filled++] = value;
    return this.#addNumbers(parent, undefined, this.#filled - 1);
  }

  #close(parent: Open | undefined, { map, list, count, inner, start }: Open): void {
    const whole = map ?? list;
    if (whole) return this.#add(parent, whole);
    const shape = [count, ...(inner ?? [])];
    if (parent && !parent.map) return this.#addNumbers(parent, shape, start);
    return this.#add(parent, this.#value(this.#own(shape, start)));
  }

  parse(): Json {
    const opened: Open[] = [];
    if (BYTE_ORDER_MARK.every((byte, k) => byte === this.#bytes[k])) this.#at = 3;
    for (;;) {
      const first = this.#next();
      let isEmpty = false;
      if (first === OPEN_BRACE || first === OPEN_BRACKET) {
        if (opened.length === MAX_DEPTH) this.refuse('nests too deep');
        const map = first === OPEN_BRACE ? this.#value(new Map<string, Json>()) : undefined;
        this.#at++;
        const [start, list, inner] = [this.#filled, undefined, undefined];
        const open = { map, key: '', list, start, count: 0, inner };
        opened.push(open);
        isEmpty = this.#next() === (map ? CLOSE_BRACE : CLOSE_BRACKET);
        if (!isEmpty && map) this.#key(open);
        if (!isEmpty) continue;
      } else {
        this.#scalar(opened.at(-1), first);
      }
      // What is over ends here, and another value begins after a comma.
      for (let byte = this.#next(); byte !== COMMA; byte = this.#next()) {
        const open = opened.pop();
        if (!open && Number.isNaN(byte)) return this.#whole;
        if (byte !== (open?.map ? CLOSE_BRACE : CLOSE_BRACKET) || !open) {
          return this.refuse('is not valid JSON');
        }
        this.#at++;
        this.#close(opened.at(-1), open);
      }
      this.#at++;
      const open = opened.at(-1);
      if (!open) this.refuse('is not valid JSON');
      if (open!.map) this.#key(open!);
    }
  }
}

/** The value of a JSON file; `what` it should be, for errors: `a NAM file`. */
export function parseJson(bytes: Uint8Array, what: string): Json {
  return new Parser(bytes, what).parse();
}

export function isNumbers(value: Json | undefined): value is Numbers {
  return typeof value === 'object' && value !== null && 'numbers' in value;
}

export function isMap(value: Json | undefined): value is ReadonlyMap<string, Json> {
  return typeof value === 'object' && value !== null && 'get' in value;
}

/** The items of a list, of numbers too; `undefined` where it is none. */
export function itemsOf(value: Json | undefined): readonly Json[] | undefined {
  if (Array.isArray(value)) return value as readonly Json[];
  if (!isNumbers(value)) return undefined;
  const { shape, numbers } = value;
  const inner = shape.slice(1);
  const size = inner.reduce((product, axis) => product * axis, 1);
  return Array.from({ length: shape[0]! }, (_, k) =>
    inner.length === 0
      ? numbers[k]!
      : { shape: inner, numbers: numbers.subarray(k * size, (k + 1) * size) },
  );
}

/** Plain data that a reader keeps of a file: what is deep, or long, is left out. */
export function plainOf(value: Json | undefined, depth = 4): unknown {
  if (isNumbers(value)) {
    return value.shape.length === 1 && value.numbers.length <= MAX_KEPT
      ? [...value.numbers]
      : undefined;
  }
  if (typeof value === 'string') return value.slice(0, MAX_KEPT_TEXT);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return undefined;
  if (isMap(value)) {
    const kept = [...value].slice(0, MAX_KEPT).map(([key, own]) => [key, plainOf(own, depth - 1)]);
    return Object.fromEntries(kept.filter(([, own]) => own !== undefined));
  }
  const list = (value as readonly Json[]).slice(0, MAX_KEPT);
  return list.map((own) => plainOf(own, depth - 1) ?? null);
}

const MAX_KEPT = 64;
const MAX_KEPT_TEXT = 1024;
