/** Reads JSON and tables of numbers from bytes: numbers are never text on the way. */

import { GatefoldError } from '../../base/errors.ts';

export const NEWLINE = 10;
const [QUOTE, BACKSLASH, COMMA, COLON, MINUS, PLUS, POINT] = [34, 92, 44, 58, 45, 43, 46];
const [OPEN, CLOSE, OPEN_BRACE, CLOSE_BRACE] = [91, 93, 123, 125];
const [ZERO, NINE] = [48, 57];
const MAX_DEPTH = 64;
/** Numbers of the memory that lists share, at most unless one is longer. */
const SHARED = 2 ** 18;
/** Digits that a float64 takes at all, and powers of ten that it has exactly. */
const DIGITS = 19;
const POWERS = Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const SIGNED_POWERS = [POWERS, POWERS.map((power) => -power)] as const;
const WHOLE_POWERS = Int32Array.of(1, 10, 100, 1000, 10_000);
/** Four zeros as text. */
const ZEROS = 0x30303030;
/** More than a number of so many digits can be off, relative to it. */
const OFF = 2 ** -50;
const WORDS: Readonly<Record<string, number>> = {
  null: NaN,
  NaN,
  nan: NaN,
  Infinity,
  inf: Infinity,
};

const isSpace = (byte: number): boolean => byte === 32 || byte === 9 || byte === 13;
const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

/** Bad input: what was expected where. */
export function malformed(what: string): never {
  throw new GatefoldError('ERR_FORMAT', what);
}

/** A position in bytes that end with a byte which is no part of any value. */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly #words: DataView;
  at: number;
  /** Numbers of many lists one after the other: an array for each costs as much as to read it. */
  #numbers = new Float32Array(0);
  /** Where those of the current list begin and end. */
  #first = 0;
  #count = 0;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  text(from: number, to: number): string {
    return Buffer.from(this.bytes.slice(from, to)).toString();
  }

  /** The next byte that is no space. */
  peek(): number {
    while (isSpace(this.bytes[this.at]!)) this.at++;
    return this.bytes[this.at]!;
  }

  /** Whether that is this one, which is then passed. */
  takes(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at++;
    return true;
  }

  expect(byte: number): void {
    if (this.takes(byte)) return;
    malformed(`expected '${String.fromCharCode(byte)}' at column ${this.at}`);
  }

  /**
   * A number of JSON, or what Python writes for those that are not finite. As a float32 it is the
   * one that `Math.fround(Number(text))` gives.
   */
  number(): number {
    const { bytes } = this;
    const start = this.at;
    let p = start;
    let byte = bytes[p]!;
    const isNegative = byte === MINUS;
    if (isNegative || byte === PLUS) byte = bytes[++p]!;
    if (!isDigit(byte) && byte !== POINT) return this.#word(isNegative, p);
    let mantissa = 0;
    let digits = 0;
    let power = 0;
    for (; isDigit(byte); byte = bytes[++p]!) {
      if (digits < DIGITS) mantissa = mantissa * 10 + (byte - ZERO);
      else power++;
      if (mantissa > 0) digits++;
    }
    if (byte === POINT) {
      for (byte = bytes[++p]!; isDigit(byte); byte = bytes[++p]!) {
        if (digits >= DIGITS) continue;
        mantissa = mantissa * 10 + (byte - ZERO);
        power--;
        if (mantissa > 0) digits++;
      }
    }
    if (byte === 101 || byte === 69) {
      byte = bytes[++p]!;
      const isBelow = byte === MINUS;
      if (isBelow || byte === PLUS) byte = bytes[++p]!;
      let exponent = 0;
      for (; isDigit(byte); byte = bytes[++p]!)
        exponent = Math.min(exponent * 10 + byte - ZERO, 9999);
      power += isBelow ? -exponent : exponent;
    }
    this.at = p;
    if (power >= -22 && power <= 22) {
      const value = power < 0 ? mantissa / POWERS[-power]! : mantissa * POWERS[power]!;
      const isSure =
        mantissa <= Number.MAX_SAFE_INTEGER ||
        Math.fround(value * (1 - OFF)) === Math.fround(value * (1 + OFF));
      if (isSure) return isNegative ? -value : value;
    }
    return Number(this.text(start, p));
  }

  #word(isNegative: boolean, from: number): number {
    let to = from;
    while ((this.bytes[to]! | 32) >= 97 && (this.bytes[to]! | 32) <= 122) to++;
    const word = this.text(from, to);
    if (!Object.hasOwn(WORDS, word)) malformed(`expected a number at column ${this.at}`);
    this.at = to;
    return isNegative ? -WORDS[word]! : WORDS[word]!;
  }

  /** Moves the current list to new memory. Those before it stay where they are. */
  #grow(): void {
    const { length } = this;
    const usual = Math.min(SHARED, Math.ceil(this.bytes.length / 8));
    const more = new Float32Array(Math.max(64, usual, 2 * length));
    more.set(this.#numbers.subarray(this.#first, this.#count));
    this.#numbers = more;
    this.#first = 0;
    this.#count = length;
  }

  /** Numbers of the current list; a smaller value drops the last ones. */
  get length(): number {
    return this.#count - this.#first;
  }

  set length(length: number) {
    this.#count = this.#first + length;
  }

  push(value: number): void {
    if (this.#count === this.#numbers.length) this.#grow();
    this.#numbers[this.#count++] = value;
  }

  /** The first `length` numbers of the current list. What is after them begins the next one. */
  take(length: number = this.length): Float32Array {
    const start = this.#first;
    this.#first += length;
    return this.#numbers.subarray(start, this.#first);
  }

  /** A list of numbers, or of lists of `width` of them, which becomes the current list. */
  list(width: number): void {
    this.length = 0;
    this.expect(OPEN);
    if (this.takes(CLOSE)) return;
    if (this.peek() !== OPEN) return this.#row();
    do {
      const before = this.length;
      this.expect(OPEN);
      this.#row();
      const count = this.length - before;
      if (count === width) continue;
      const row = Math.floor(before / width);
      malformed(`step ${row} has ${count} numbers, and the model takes ${width}`);
    } while (this.takes(COMMA));
    this.expect(CLOSE);
  }

  /**
   * Numbers up to the end of a list. Those of at most nine digits, which most have, are read here:
   * in whole numbers of 32 bits, four digits of the decimals at once, and with few branches, which
   * no processor guesses in numbers.
   */
  #row(): void {
    const { bytes } = this;
    const words = this.#words;
    const last = bytes.length - 4;
    let numbers = this.#numbers;
    let count = this.#count;
    let p = this.at;
    let byte = 0;
    do {
      while (isSpace(bytes[p]!)) p++;
      const start = p;
      const isNegative = ((bytes[p]! ^ MINUS) - 1) >>> 31;
      p += isNegative;
      const first = p;
      let mantissa = 0;
      let digit = bytes[p]! - ZERO;
      for (; digit >= 0 && digit <= 9; digit = bytes[++p]! - ZERO) {
        mantissa = (Math.imul(mantissa, 10) + digit) | 0;
      }
      let length = p - first;
      let decimals = 0;
      if (bytes[p] === POINT) {
        const point = ++p;
        for (let digits = 4; digits === 4 && p <= last; p += digits) {
          const word = words.getInt32(p, true) ^ ZEROS;
          // The highest bit of a byte is set where that is no digit.
          const others = ((word + 0x76767676) | word) & 0x80808080;
          digits = others === 0 ? 4 : (31 - Math.clz32(others & -others)) >> 3;
          // Digits that are not there become zeros before the others.
          const own = digits === 4 ? word : (word << 8) << (24 - 8 * digits);
          const pairs = Math.imul(own, 10) + (own >>> 8);
          const value = (pairs & 0xff) * 100 + ((pairs >>> 16) & 0xff);
          mantissa = (Math.imul(mantissa, WHOLE_POWERS[digits]!) + value) | 0;
        }
        decimals = p - point;
        length += decimals;
      }
      byte = bytes[p]!;
      if (count === numbers.length) {
        this.#count = count;
        this.#grow();
        numbers = this.#numbers;
        count = this.#count;
      }
      if (length > 0 && length < 10 && (byte === COMMA || byte === CLOSE)) {
        numbers[count++] = mantissa / SIGNED_POWERS[isNegative]![decimals]!;
      } else {
        this.at = start;
        numbers[count++] = this.number();
        byte = this.peek();
        p = this.at;
      }
      p++;
    } while (byte === COMMA);
    this.#count = count;
    this.at = p - 1;
    this.expect(CLOSE);
  }

  /** Passes a string; where it begins and ends, quotes included. */
  string(): [number, number] {
    const start = this.at;
    this.expect(QUOTE);
    for (; this.bytes[this.at] !== QUOTE; this.at++) {
      const byte = this.bytes[this.at];
      if (byte === undefined || byte === NEWLINE) malformed(`a text has no end at column ${start}`);
      if (byte === BACKSLASH) this.at++;
    }
    this.at++;
    return [start, this.at];
  }

  /** Passes any value of JSON. */
  skip(depth = 0): void {
    if (depth > MAX_DEPTH) malformed(`more than ${MAX_DEPTH} levels`);
    const byte = this.peek();
    if (byte === QUOTE) return void this.string();
    if (byte === OPEN_BRACE) return this.fields(() => this.skip(depth + 1));
    if (byte !== OPEN) {
      if (byte === 116 || byte === 102) this.at += byte === 116 ? 4 : 5;
      else this.number();
      return;
    }
    this.at++;
    if (this.takes(CLOSE)) return;
    do this.skip(depth + 1);
    while (this.takes(COMMA));
    this.expect(CLOSE);
  }

  /** Every field of an object; `value` passes the value of each. */
  fields(value: (key: string) => void): void {
    this.expect(OPEN_BRACE);
    if (this.takes(CLOSE_BRACE)) return;
    do {
      this.peek();
      const [from, to] = this.string();
      this.expect(COLON);
      this.peek();
      value(this.text(from + 1, to - 1));
    } while (this.takes(COMMA));
    this.expect(CLOSE_BRACE);
  }

  /** Goes to the byte after the end of the line. */
  nextLine(): void {
    const end = this.bytes.indexOf(NEWLINE, this.at);
    this.at = end < 0 ? this.bytes.length : end + 1;
  }
}
