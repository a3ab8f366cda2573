/**
 * DEFLATE (RFC 1951), for a length that is known before: what would be longer is never made.
 * Compressors make blocks of kilobytes; more of them, each with tables of its own, are refused.
 */

/** Bits of a code that a table looks up at once. */
const FAST = 9;
const FAST_MASK: number = (1 << FAST) - 1;
const MAX_BITS = 15;
/** Bytes that DEFLATE makes of one, at most. */
const MAX_RATIO = 1032;
/** Bytes, of both sides together, that a block has on average, and blocks that may have less. */
const [BLOCK_BYTES, SMALL_BLOCKS] = [1024, 64];
const END_OF_BLOCK = 256;
/** Where the lengths of the code lengths are. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Bases of lengths and distances: `step` codes have as many extra bits each. */
function bases(count: number, step: number, first: number): { base: number[]; extra: number[] } {
  const extra = Array.from({ length: count }, (_, k) => Math.max(0, Math.floor(k / step) - 1));
  const base = [first];
  for (const bits of extra) base.push(base.at(-1)! + 2 ** bits);
  return { base, extra };
}
const LENGTHS: ReturnType<typeof bases> = bases(28, 4, 3);
// The longest copy has a code of its own.
LENGTHS.base[28] = 258;
LENGTHS.extra.push(0);
const DISTANCES: ReturnType<typeof bases> = bases(30, 2, 1);

/** The codes of an alphabet, from their lengths alone. */
class Codes {
  /** Symbol and length by the next bits; 0 where the code is longer. */
  readonly fast: Uint16Array = new Uint16Array(1 << FAST);
  readonly #counts = new Uint16Array(MAX_BITS + 1);
  readonly #symbols: Uint16Array;

  constructor(lengths: Uint8Array) {
    const counts = this.#counts;
    for (const length of lengths) counts[length]!++;
    counts[0] = 0;
    const starts = new Uint16Array(MAX_BITS + 2);
    const codes = new Uint16Array(MAX_BITS + 2);
    for (let bits = 1; bits <= MAX_BITS; bits++) {
      if (codes[bits]! + counts[bits]! > 1 << bits) throw FAULT;
      starts[bits + 1] = starts[bits]! + counts[bits]!;
      codes[bits + 1] = (codes[bits]! + counts[bits]!) << 1;
    }
    this.#symbols = new Uint16Array(lengths.length);
    for (const [symbol, bits] of lengths.entries()) {
      if (bits === 0) continue;
      this.#symbols[starts[bits]!++] = symbol;
      const code = codes[bits]!++;
      if (bits > FAST) continue;
      // The first bit of a code is the lowest of what is read.
      let at = 0;
      for (let k = 0; k < bits; k++) at |= ((code >> k) & 1) << (bits - 1 - k);
      for (; at < 1 << FAST; at += 1 << bits) this.fast[at] = (symbol << 4) | bits;
    }
  }

  /** The same of any code in front of some bits, as long as it may be. */
  find(bits: number): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length <= MAX_BITS; length++) {
      code |= (bits >> (length - 1)) & 1;
      const count = this.#counts[length]!;
      if (code - first < count) return (this.#symbols[index + code - first]! << 4) | length;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw FAULT;
  }
}

/** Thrown and caught here alone. */
const FAULT: unique symbol = Symbol('fault');

const FIXED: { literals: Codes; distances: Codes } = {
  literals: new Codes(
    Uint8Array.from({ length: 288 }, (_, k) => (k < 144 ? 8 : k < 256 ? 9 : k < 280 ? 7 : 8)),
  ),
  distances: new Codes(new Uint8Array(30).fill(5)),
};

class Inflater {
  readonly #bytes: Uint8Array;
  readonly #out: Uint8Array;
  #from = 0;
  #to = 0;
  /** Bits that have been read and not used, and how many. */
  #held = 0;
  #count = 0;

  constructor(bytes: Uint8Array, out: Uint8Array) {
    this.#bytes = bytes;
    this.#out = out;
  }

  /** Inflates everything; whether it was all that was expected. */
  run(): boolean {
    let left = SMALL_BLOCKS + (this.#bytes.length + this.#out.length) / BLOCK_BYTES;
    for (let isLast = false; !isLast;) {
      if (left-- < 0) return false;
      isLast = this.#take(1) === 1;
      const type = this.#take(2);
      if (type === 0) this.#copyStored();
      else if (type === 1) this.#block(FIXED);
      else if (type === 2) this.#block(this.#readCodes());
      else return false;
    }
    return this.#to === this.#out.length;
  }

  #fill(): void {
    while (this.#count <= MAX_BITS && this.#from < this.#bytes.length) {
      this.#held |= this.#bytes[this.#from++]! << this.#count;
      this.#count += 8;
    }
  }

  #drop(bits: number): void {
    if (bits > this.#count) throw FAULT;
    this.#held >>>= bits;
    this.#count -= bits;
  }

  #take(bits: number): number {
    if (bits > this.#count) this.#fill();
    const value = this.#held & ((1 << bits) - 1);
    this.#drop(bits);
    return value;
  }

  #symbol(codes: Codes): number {
    this.#fill();
    const entry = codes.fast[this.#held & FAST_MASK]! || codes.find(this.#held);
    this.#drop(entry & 15);
    return entry >> 4;
  }

  #copyStored(): void {
    // Whole bytes that were read ahead go back.
    this.#from -= this.#count >> 3;
    this.#held = this.#count = 0;
    const length = this.#take(16);
    if (this.#take(16) !== (length ^ 0xffff)) throw FAULT;
    const end = this.#from + length;
    if (end > this.#bytes.length || this.#to + length > this.#out.length) throw FAULT;
    this.#out.set(this.#bytes.subarray(this.#from, end), this.#to);
    this.#from = end;
    this.#to += length;
  }

  #readCodes(): { literals: Codes; distances: Codes } {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const count = this.#take(4) + 4;
    const own = new Uint8Array(ORDER.length);
    for (let k = 0; k < count; k++) own[ORDER[k]!] = this.#take(3);
    const codes = new Codes(own);
    const lengths = new Uint8Array(literals + distances);
    for (let at = 0; at < lengths.length;) {
      const symbol = this.#symbol(codes);
      if (symbol < 16) {
        lengths[at++] = symbol;
        continue;
      }
      if (symbol === 16 && at === 0) throw FAULT;
      const value = symbol === 16 ? lengths[at - 1]! : 0;
      const [bits, least] = symbol === 16 ? [2, 3] : symbol === 17 ? [3, 3] : [7, 11];
      const end = at + least! + this.#take(bits!);
      if (end > lengths.length) throw FAULT;
      lengths.fill(value, at, end);
      at = end;
    }
    return {
      literals: new Codes(lengths.subarray(0, literals)),
      distances: new Codes(lengths.subarray(literals)),
    };
  }

  #block({ literals, distances }: { literals: Codes; distances: Codes }): void {
    const out = this.#out;
    for (;;) {
      this.#literals(literals.fast);
      const symbol = this.#symbol(literals);
      if (symbol === END_OF_BLOCK) return;
      if (symbol < END_OF_BLOCK) {
        if (this.#to === out.length) throw FAULT;
        out[this.#to++] = symbol;
        continue;
      }
      const length = this.#sized(LENGTHS, symbol - END_OF_BLOCK - 1);
      const distance = this.#sized(DISTANCES, this.#symbol(distances));
      if (distance > this.#to || this.#to + length > out.length) throw FAULT;
      const end = this.#to + length;
      if (distance === 1) out.fill(out[this.#to - 1]!, this.#to, end);
      else for (let to = this.#to; to < end; to++) out[to] = out[to - distance]!;
      this.#to = end;
    }
  }

  /** Literals with short codes, one after the other: most of what does not repeat. */
  #literals(fast: Uint16Array): void {
    const [bytes, out] = [this.#bytes, this.#out];
    let [from, to, held, count] = [this.#from, this.#to, this.#held, this.#count];
    while (from + 2 <= bytes.length && to < out.length) {
      if (count < MAX_BITS) {
        held |= (bytes[from]! | (bytes[from + 1]! << 8)) << count;
        from += 2;
        count += 16;
      }
      const entry = fast[held & FAST_MASK]!;
      if (entry === 0 || entry >= END_OF_BLOCK << 4) break;
      held >>>= entry & 15;
      count -= entry & 15;
      out[to++] = entry >> 4;
    }
    this.#from = from;
    this.#to = to;
    this.#held = held;
    this.#count = count;
  }

  #sized({ base, extra }: typeof LENGTHS, code: number): number {
    if (code >= extra.length) throw FAULT;
    return base[code]! + this.#take(extra[code]!);
  }
}

/** The `length` bytes of a DEFLATE stream; `undefined` where it has more, less, or faults. */
export function inflate(bytes: Uint8Array, length: number): Uint8Array | undefined {
  if (length > bytes.length * MAX_RATIO) return undefined;
  const out = new Uint8Array(length);
  try {
    return new Inflater(bytes, out).run() ? out : undefined;
  } catch (error) {
    if (error === FAULT) return undefined;
    throw error;
  }
}
