/** Why a text must not reach `JSON.parse`, as the end of a sentence; `undefined` when it may. */
export type JsonFault =
  | 'names the same thing twice'
  | 'nests too deep'
  | 'is not valid JSON'
  | 'holds a number that is not a plain whole number';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const [OPEN_BRACE, CLOSE_BRACE] = [0x7b, 0x7d];
const [OPEN_BRACKET, CLOSE_BRACKET] = [0x5b, 0x5d];
const [PLUS, MINUS, POINT] = [0x2b, 0x2d, 0x2e];
const [ZERO, NINE] = [0x30, 0x39];

/** Index after the string that opens at `start`, or 0 when it never ends. */
function endOfString(text: string, start: number): number {
  for (let end = start + 1; ; end++) {
    end = text.indexOf('"', end);
    if (end < 0) return 0;
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((end - before) % 2 === 1) return end + 1;
  }
}

/** Whether a colon follows: the string that ends here is a name. */
function isName(text: string, end: number): boolean {
  let at = end;
  for (;;) {
    const code = text.charCodeAt(at++);
    if (code === COLON) return true;
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return false;
  }
}

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE;
/** JSON's other tokens do not begin like a number. */
const beginsNumber = (code: number): boolean =>
  isDigit(code) || code === MINUS || code === PLUS || code === POINT;
const isLetter = (code: number): boolean => (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;

/** Whether a number is a plain whole one. */
function isWhole(text: string, start: number, end: number): boolean {
  if (end - start > 16 || (text.charCodeAt(start) === ZERO && end > start + 1)) return false;
  for (let at = start; at < end; at++) if (!isDigit(text.charCodeAt(at))) return false;
  return true;
}

/** Whether a number is written as `JSON.stringify` does: no digit of it gets lost. */
export function isPlain(text: string, start: number, end: number): boolean {
  if (end - start < 16 && isWhole(text, start, end)) return true;
  const token = text.slice(start, end);
  return String(Number(token)) === token;
}

/** What follows a backslash, and what it stands for, but for "u". */
const ESCAPES: ReadonlyMap<number, number> = new Map(
  [...'bfnrt'].map((letter, k) => [letter.charCodeAt(0), '\b\f\n\r\t'.charCodeAt(k)]),
);
/** Numbers that a name takes in the table: hash, object, start and end. */
const ENTRY = 4;

/** A hash of what a name says, however it is written. */
function hashOf(text: string, start: number, end: number, seed: number): number {
  let hash = seed;
  for (let at = start + 1; at < end - 1; at++) {
    let code = text.charCodeAt(at);
    if (code === BACKSLASH) {
      const letter = text.charCodeAt(++at);
      code = ESCAPES.get(letter) ?? letter;
      if (letter === 0x75) {
        code = 0;
        for (const last = at + 4; at < last;) {
          const digit = text.charCodeAt(++at);
          code = (code << 4) | ((digit & 0xf) + (digit > NINE ? 9 : 0));
        }
      }
    }
    hash = Math.imul(hash ^ code, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

/**
 * The names of all objects of a text. Tables of numbers, since a `Set` for every object takes more
 * time than everything else.
 */
class Names {
  readonly #text: string;
  /** Nobody who writes a file knows which names have the same hash here. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  #entries: Int32Array;
  /** Places among the entries, plus one; 0 where there is none. */
  #table: Int32Array;
  #count = 0;

  constructor(text: string) {
    this.#text = text;
    // Most names have 32 bytes and more, with what they name.
    const size = 1 << (32 - Math.clz32(64 + text.length / 32));
    this.#entries = new Int32Array(size * ENTRY);
    this.#table = new Int32Array(2 * size);
  }

  /** Adds a name, as it is written, of an object, which counts from 1; false if it has it. */
  add(start: number, end: number, object: number): boolean {
    if (this.#count * ENTRY === this.#entries.length) this.#grow();
    const hash = hashOf(this.#text, start, end, this.#seed ^ object);
    const [entries, table] = [this.#entries, this.#table];
    const mask = table.length - 1;
    let place = hash & mask;
    for (; table[place] !== 0; place = (place + 1) & mask) {
      const at = (table[place]! - 1) * ENTRY;
      if (entries[at] !== hash || entries[at + 1] !== object) continue;
      if (this.#said(entries[at + 2]!, entries[at + 3]!) === this.#said(start, end)) return false;
    }
    const at = this.#count++ * ENTRY;
    table[place] = this.#count;
    entries[at] = hash;
    entries[at + 1] = object;
    entries[at + 2] = start;
    entries[at + 3] = end;
    return true;
  }

  #said(start: number, end: number): unknown {
    return JSON.parse(this.#text.slice(start, end));
  }

  #grow(): void {
    const entries = new Int32Array(2 * this.#entries.length);
    entries.set(this.#entries);
    const table = new Int32Array(2 * this.#table.length);
    const mask = table.length - 1;
    for (let k = 0; k < this.#count; k++) {
      let place = entries[k * ENTRY]! & mask;
      while (table[place] !== 0) place = (place + 1) & mask;
      table[place] = k + 1;
    }
    this.#entries = entries;
    this.#table = table;
  }
}

/**
 * Looks for what `JSON.parse` would let pass: it keeps the last of two equal names without a word,
 * rounds numbers, and may overflow the stack. It does not check the grammar; `JSON.parse` does that
 * afterwards. One pass, linear time.
 */
export function scanJson(
  text: string,
  maxDepth: number,
  isNumber: (text: string, start: number, end: number) => boolean = isWhole,
): JsonFault | undefined {
  const names = new Names(text);
  /** What is open: objects by their number, and 0 for arrays. */
  const open = new Int32Array(maxDepth + 1);
  let [depth, objects] = [0, 0];
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (end === 0) return 'is not valid JSON';
      if (isName(text, end)) {
        const object = open[depth]!;
        if (object === 0) return 'is not valid JSON';
        try {
          if (!names.add(at, end, object)) return 'names the same thing twice';
        } catch {
          return 'is not valid JSON';
        }
      }
      at = end;
    } else if (beginsNumber(code)) {
      const start = at;
      let next = code;
      while (beginsNumber(next) || isLetter(next)) next = text.charCodeAt(++at);
      if (!isNumber(text, start, at)) return 'holds a number that is not a plain whole number';
    } else {
      if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        if (depth === maxDepth) return 'nests too deep';
        open[++depth] = code === OPEN_BRACE ? ++objects : 0;
      } else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && depth > 0) {
        depth--;
      }
      at++;
    }
  }
  return undefined;
}
