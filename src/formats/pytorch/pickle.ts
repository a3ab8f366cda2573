import { GatefoldError } from '../../base/errors.ts';
import { FALSE, FORM, Heap, KIND, NONE, TRUE, Words } from './heap.ts';
import type { Kind, Value } from './heap.ts';

export function damaged(problem: string, fix = 'copy or save it again'): never {
  throw new GatefoldError('ERR_FORMAT', `not a PyTorch file to trust: ${problem}; ${fix}`);
}

/** Longest number in digits. */
const MAX_DIGITS = 64;
const DIGITS = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const PROTOCOLS = 5;

/**
 * Reads pickles and calls nothing: what a pickle would import is a name, what it would call a
 * record of that name with the arguments.
 */
export class Pickle {
  /** Where the next pickle begins. */
  at: number;
  readonly end: number;
  readonly heap: Heap;
  readonly #view: DataView;
  readonly #stack: Words;
  readonly #memo: Words;
  readonly #marks: Words;
  /** What `STOP` left. */
  result: Value | undefined;

  constructor(heap: Heap, at = 0, end: number = heap.bytes.length) {
    const { buffer, byteOffset, length } = heap.bytes;
    this.heap = heap;
    this.at = at;
    this.end = end;
    this.#view = new DataView(buffer, byteOffset, length);
    const { values } = heap.limits;
    this.#stack = new Words(values);
    this.#memo = new Words(values);
    this.#marks = new Words(values);
  }

  /** The value of one pickle. */
  read(): Value {
    this.#stack.length = this.#memo.length = this.#marks.length = 0;
    this.result = undefined;
    while (this.result === undefined) {
      const code = this.byte();
      const run = OPCODES[code];
      if (!run) damaged(`its pickle has the unknown opcode 0x${code.toString(16)}`);
      run(this);
    }
    return this.result;
  }

  byte(): number {
    return this.heap.bytes[this.skip(1)]!;
  }

  u16(): number {
    return this.#view.getUint16(this.skip(2), true);
  }

  i32(): number {
    return this.#view.getInt32(this.skip(4), true);
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  u64(): number {
    const low = this.u32();
    return this.u32() * 2 ** 32 + low;
  }

  /** Passes over bytes, and says where they begin. */
  skip(length: number): number {
    const start = this.at;
    if (length > this.end - start) damaged('its pickle ends too early');
    this.at = start + length;
    return start;
  }

  /** Passes over a line, and says where its text begins. */
  line(): { start: number; length: number } {
    const start = this.at;
    const { bytes } = this.heap;
    let at = start;
    while (at < this.end && bytes[at] !== 10) at++;
    this.skip(at + 1 - start);
    return { start, length: at - start - (at > start && bytes[at - 1] === 13 ? 1 : 0) };
  }

  /** A number in digits, on a line of its own. */
  digits(): string {
    const { start, length } = this.line();
    if (length > MAX_DIGITS) damaged('its pickle has a number that is too long');
    return String.fromCharCode(...this.heap.bytes.subarray(start, start + length));
  }

  /** A text of the next bytes, or of a line. */
  text(length: number, form: number = FORM.utf8, kind: Kind = KIND.text): void {
    this.push(this.heap.node(kind, this.skip(length), length, form));
  }

  textLine(form: number): Value {
    const { start, length } = this.line();
    return this.heap.node(KIND.text, start, length, form);
  }

  push(value: Value): void {
    this.#stack.push(value);
  }

  get #floor(): number {
    const { length } = this.#marks;
    return length ? this.#marks.get(length - 1) : 0;
  }

  pop(): Value {
    const value = this.top();
    this.#stack.length--;
    return value;
  }

  top(): Value {
    if (this.#stack.length <= this.#floor) damaged('its pickle takes values that it has not');
    return this.#stack.get(this.#stack.length - 1);
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** Takes the values since the last mark, each after the other. */
  popMark(take: (value: Value) => void): void {
    if (this.#marks.length === 0) damaged('its pickle takes a mark that it has not');
    const start = this.#floor;
    for (let at = start; at < this.#stack.length; at++) take(this.#stack.get(at));
    this.#stack.length = start;
    this.#marks.length--;
  }

  /** A container of the values since the last mark. */
  gather(kind: Kind): Value {
    const container = this.heap.node(kind);
    let count = 0;
    this.popMark((value) => {
      this.heap.add(container, value);
      count++;
    });
    if (kind === KIND.dict && count % 2) damaged('its pickle has a key without a value');
    return container;
  }

  tuple(count: number): void {
    const values = Array.from({ length: count }, () => this.pop()).reverse();
    const tuple = this.heap.node(KIND.tuple);
    for (const value of values) this.heap.add(tuple, value);
    this.push(tuple);
  }

  put(index: number): void {
    const value = this.top();
    // Python counts them from 0, some from 1: a gap is filled.
    if (!(index >= 0 && index < this.heap.limits.values))
      damaged('its pickle remembers a value at no place');
    while (this.#memo.length <= index) this.#memo.push(NONE);
    this.#memo.set(Math.floor(index), value);
  }

  get memoized(): number {
    return this.#memo.length;
  }

  get(index: number): void {
    if (!(index >= 0 && index < this.#memo.length))
      damaged('its pickle asks for what it has not remembered');
    this.push(this.#memo.get(Math.floor(index)));
  }

  /** Adds to the list, set or record that is on top. */
  append(value: Value, container: Value): void {
    if (this.heap.is(container, KIND.record)) this.heap.add(container, NONE);
    else if (!this.heap.is(container, KIND.list, KIND.set)) {
      damaged('its pickle adds to what is no list');
    }
    this.heap.add(container, value);
  }

  setItems(container: Value, take: (add: (value: Value) => void) => void): void {
    if (!this.heap.is(container, KIND.dict, KIND.record))
      damaged('its pickle sets an item of no dict');
    let count = 0;
    take((value) => {
      this.heap.add(container, value);
      count++;
    });
    if (count % 2) damaged('its pickle has a key without a value');
  }

  /** What lies below the values since the last mark. */
  belowMark(): Value {
    const at = this.#floor - 1;
    const { length } = this.#marks;
    const floor = length > 1 ? this.#marks.get(length - 2) : 0;
    if (length === 0 || at < floor) damaged('its pickle takes values that it has not');
    return this.#stack.get(at);
  }

  global(module: Value, name: Value): void {
    if (!this.heap.is(module, KIND.text) || !this.heap.is(name, KIND.text)) {
      damaged('its pickle names a class by what is no text');
    }
    this.push(this.heap.node(KIND.global, module, name));
  }
}

function unsupported(what: string): never {
  const message = `the pickle has ${what}, which no PyTorch file needs: save the state_dict alone`;
  throw new GatefoldError('ERR_UNSUPPORTED', message);
}

type Run = (pickle: Pickle) => void;

const number: Run = (p) => {
  const { at } = p;
  const digits = p.digits().replace(/L$/, '');
  if (!DIGITS.test(digits)) damaged('its pickle has a number that is none');
  p.push(p.heap.node(KIND.digits, at, digits.length));
};
const append: Run = (p) => {
  const value = p.pop();
  p.append(value, p.top());
};
const appends: Run = (p) => {
  const container = p.belowMark();
  p.popMark((value) => p.append(value, container));
};
const call: Run = (p) => {
  const args = p.pop();
  p.push(p.heap.record(p.pop(), args));
};
const extension: Run = () => unsupported('extension codes');
const outOfBand: Run = () => unsupported('buffers outside of it');
const bytesOf =
  (length: (p: Pickle) => number): Run =>
  (p) =>
    p.text(length(p), 0, KIND.bytes);

/** Every opcode by its code: letters of protocols 0 and 1, codes from 0x80 on later. */
const BY_CODE: Readonly<Record<string | number, Run>> = {
  '(': (p) => p.mark(),
  '.': (p) => {
    p.result = p.pop();
  },
  '0': (p) => p.pop(),
  '1': (p) => p.popMark(() => undefined),
  '2': (p) => p.push(p.top()),
  F: number,
  I: (p) => {
    const { at } = p;
    const digits = p.digits();
    if (digits === '00' || digits === '01') return p.push(digits === '01' ? TRUE : FALSE);
    p.at = at;
    return number(p);
  },
  J: (p) => p.push(p.heap.integer(p.i32())),
  K: (p) => p.push(p.heap.integer(p.byte())),
  L: number,
  M: (p) => p.push(p.heap.integer(p.u16())),
  N: (p) => p.push(NONE),
  P: (p) => p.push(p.heap.node(KIND.persistent, p.textLine(FORM.latin1))),
  Q: (p) => p.push(p.heap.node(KIND.persistent, p.pop())),
  R: call,
  S: (p) => p.push(quoted(p)),
  T: (p) => p.text(p.u32(), FORM.latin1),
  U: (p) => p.text(p.byte(), FORM.latin1),
  V: (p) => p.push(p.textLine(FORM.escaped)),
  X: (p) => p.text(p.u32()),
  a: append,
  b: (p) => {
    const state = p.pop();
    if (!p.heap.is(p.top(), KIND.record)) damaged('its pickle gives a state to what has none');
    p.heap.setState(p.top(), state);
  },
  c: (p) => {
    const module = p.textLine(FORM.utf8);
    p.global(module, p.textLine(FORM.utf8));
  },
  d: (p) => p.push(p.gather(KIND.dict)),
  '}': (p) => p.push(p.heap.node(KIND.dict)),
  e: appends,
  g: (p) => p.get(Number(p.digits())),
  h: (p) => p.get(p.byte()),
  i: (p) => {
    const module = p.textLine(FORM.utf8);
    p.global(module, p.textLine(FORM.utf8));
    const callable = p.pop();
    p.push(p.heap.record(callable, p.gather(KIND.tuple)));
  },
  j: (p) => p.get(p.u32()),
  l: (p) => p.push(p.gather(KIND.list)),
  ']': (p) => p.push(p.heap.node(KIND.list)),
  o: (p) => {
    const args = p.gather(KIND.tuple);
    const [callable] = p.heap.list(args, 1);
    if (callable === undefined) damaged('its pickle makes an object of no class');
    p.push(p.heap.record(callable, args));
  },
  p: (p) => p.put(Number(p.digits())),
  q: (p) => p.put(p.byte()),
  r: (p) => p.put(p.u32()),
  s: (p) => {
    const value = p.pop();
    const key = p.pop();
    p.setItems(p.top(), (add) => {
      add(key);
      add(value);
    });
  },
  t: (p) => p.push(p.gather(KIND.tuple)),
  ')': (p) => p.tuple(0),
  u: (p) => p.setItems(p.belowMark(), (add) => p.popMark(add)),
  G: (p) => p.push(p.heap.node(KIND.float, p.skip(8))),
  B: bytesOf((p) => p.u32()),
  C: bytesOf((p) => p.byte()),
  0x80: (p) => {
    const protocol = p.byte();
    if (protocol > PROTOCOLS) unsupported(`protocol ${protocol}`);
  },
  0x81: call,
  0x82: extension,
  0x83: extension,
  0x84: extension,
  0x85: (p) => p.tuple(1),
  0x86: (p) => p.tuple(2),
  0x87: (p) => p.tuple(3),
  0x88: (p) => p.push(TRUE),
  0x89: (p) => p.push(FALSE),
  0x8a: (p) => p.text(p.byte(), 0, KIND.long),
  0x8b: (p) => p.text(p.u32(), 0, KIND.long),
  0x8c: (p) => p.text(p.byte()),
  0x8d: (p) => p.text(p.u64()),
  0x8e: bytesOf((p) => p.u64()),
  0x8f: (p) => p.push(p.heap.node(KIND.set)),
  0x90: appends,
  0x91: (p) => p.push(p.gather(KIND.set)),
  0x92: (p) => {
    p.pop();
    call(p);
  },
  0x93: (p) => {
    const name = p.pop();
    p.global(p.pop(), name);
  },
  0x94: (p) => p.put(p.memoized),
  0x95: (p) => p.u64(),
  0x96: bytesOf((p) => p.u64()),
  0x97: outOfBand,
  0x98: outOfBand,
};

/** A text between quotes, as protocol 0 writes it. */
function quoted(p: Pickle): Value {
  const { start, length } = p.line();
  const { bytes } = p.heap;
  const quote = bytes[start];
  const isQuoted = length >= 2 && (quote === 0x22 || quote === 0x27);
  if (!isQuoted || bytes[start + length - 1] !== quote)
    damaged('its pickle has a text without quotes');
  return p.heap.node(KIND.text, start + 1, length - 2, FORM.escaped);
}

const OPCODES: (Run | undefined)[] = [];
for (const [key, run] of Object.entries(BY_CODE)) {
  OPCODES[key.length > 1 ? Number(key) : key.charCodeAt(0)] = run;
}
