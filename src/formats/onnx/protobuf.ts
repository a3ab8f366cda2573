/**
 * Protocol buffers, as far as ONNX uses them: a message is read by a table of its fields, in time
 * and memory that its bytes bound. Messages within a message are read as the table says, so that
 * nothing recurses by nesting; what it does not name is passed over.
 */
import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';

/** How a field is read; of those that end in `s` all are kept, of others the last one. */
export type Kind =
  | 'int'
  | 'float'
  | 'text'
  | 'bytes'
  | 'ints'
  | 'floats'
  | 'texts'
  /** Lists of numbers as they lie in the file, a piece each. */
  | 'pieces'
  | { readonly one: Schema }
  | { readonly many: Schema };

/** Names and kinds of fields by their numbers. */
export type Schema = Readonly<Record<number, readonly [name: string, kind: Kind]>>;

export type Message = Record<string, unknown>;

const [VARINT, FIXED64, DELIMITED, FIXED32] = [0, 1, 2, 5];

/**
 * Bytes of a file for each object and number that it may hold, and those of small files. A node
 * with its names and attributes is fifteen objects or so.
 */
const BYTES_PER_OBJECT = 128;
const BYTES_PER_NUMBER = 32;
const SPARE_OBJECTS = 2 ** 17;
const SPARE_NUMBERS = 2 ** 17;
/** Nodes of all graphs of a file. Each takes some kilobytes until it is a layer. */
const MAX_NODES = 2 ** 14;

export function damaged(problem: string): never {
  throw new GatefoldError('ERR_FORMAT', `this is no ONNX file, or a damaged one: ${problem}`);
}

/** What the objects that are read may take. */
export class Allowance {
  #objects: number;
  #numbers: number;
  #nodes = MAX_NODES;

  constructor(bytes: number) {
    this.#objects = SPARE_OBJECTS + bytes / BYTES_PER_OBJECT;
    this.#numbers = SPARE_NUMBERS + bytes / BYTES_PER_NUMBER;
  }

  takeObject(): void {
    if (--this.#objects < 0)
      damaged('it has many more nodes, names or tensors than bytes for them');
  }

  takeNodes(count: number): void {
    if ((this.#nodes -= count) >= 0) return;
    throw new GatefoldError(
      'ERR_UNSUPPORTED',
      `the model cannot be read: it has more than ${MAX_NODES} nodes`,
    );
  }

  takeNumber(): void {
    if (--this.#numbers < 0) damaged('it has many more numbers than bytes for them');
  }
}

/** Bytes read one after the other. */
export class Wire {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** A number of up to 64 bits, signed; rounded where a double is too short for it. */
  varint(): number {
    let [low, high] = [0, 0];
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) damaged('it ends in the middle of a number');
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high |= bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
      if (byte < 128) return high * 2 ** 32 + (low >>> 0);
    }
    return damaged('a number has more than 64 bits');
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (!(length >= 0 && end <= this.#bytes.length)) damaged('a field ends after the file');
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  delimited(): Uint8Array {
    return this.take(this.varint());
  }

  float(): number {
    this.take(4);
    return this.#view.getFloat32(this.#at - 4, true);
  }

  skip(wire: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.take(8);
    else if (wire === DELIMITED) this.delimited();
    else if (wire === FIXED32) this.take(4);
    else damaged(`fields of kind ${wire}`);
  }
}

function text(bytes: Uint8Array): string {
  return decodeUtf8(bytes) ?? damaged('a text is not UTF-8');
}

/** The kinds of encoding that a field of a kind may have. */
const WIRES: Readonly<Record<string, readonly number[]>> = {
  int: [VARINT],
  ints: [VARINT, DELIMITED],
  float: [FIXED32],
  floats: [FIXED32, DELIMITED],
  pieces: [VARINT, FIXED64, DELIMITED, FIXED32],
};

/** What lists are until they have something: most stay empty. */
const NONE: readonly unknown[] = Object.freeze([]);
/** Longest list that is as large as what it holds: longer ones have room to grow. */
const SHORT = 8;

function push(message: Message, name: string, value: unknown): void {
  const list = message[name] as unknown[];
  if (list.length < SHORT) message[name] = [...list, value];
  else list.push(value);
}

/** Messages without anything, by their tables: copies of one are of one shape, and small. */
const EMPTY = new WeakMap<Schema, Message>();

function emptyOf(schema: Schema): Message {
  const known = EMPTY.get(schema);
  if (known) return known;
  const fields = Object.values(schema).map(([name, kind]) => {
    const isList =
      typeof kind === 'string' ? kind.endsWith('s') && kind !== 'bytes' : 'many' in kind;
    return [name, isList ? NONE : undefined];
  });
  const empty = Object.fromEntries(fields) as Message;
  EMPTY.set(schema, empty);
  return empty;
}

/** A message by its table. Lists are there even where they are empty. */
export function readMessage(bytes: Uint8Array, schema: Schema, allowance: Allowance): Message {
  allowance.takeObject();
  const message = { ...emptyOf(schema) };
  const wire = new Wire(bytes);
  while (!wire.isAtEnd) {
    const key = wire.varint();
    const [number, encoding] = [Math.floor(key / 8), key & 7];
    const field = Object.hasOwn(schema, number) ? schema[number] : undefined;
    if (!field) {
      wire.skip(encoding);
      continue;
    }
    const [name, kind] = field;
    const wanted = (typeof kind === 'string' && WIRES[kind]) || [DELIMITED];
    if (!wanted.includes(encoding)) damaged(`the field "${name}" is of another kind`);
    readField(wire, encoding, message, name, kind, allowance);
  }
  return message;
}

function readField(
  wire: Wire,
  encoding: number,
  message: Message,
  name: string,
  kind: Kind,
  allowance: Allowance,
): void {
  if (typeof kind !== 'string') {
    const value = wire.delimited();
    if ('one' in kind) message[name] = readMessage(value, kind.one, allowance);
    else push(message, name, readMessage(value, kind.many, allowance));
    return;
  }
  switch (kind) {
    case 'int':
      message[name] = wire.varint();
      return;
    case 'float':
      message[name] = wire.float();
      return;
    case 'text':
      allowance.takeObject();
      message[name] = text(wire.delimited());
      return;
    case 'bytes':
      allowance.takeObject();
      message[name] = wire.delimited();
      return;
    case 'texts':
      allowance.takeObject();
      push(message, name, text(wire.delimited()));
      return;
    case 'pieces':
      push(message, name, pieceOf(wire, encoding, allowance));
      return;
    default: {
      const packed = encoding === DELIMITED ? new Wire(wire.delimited()) : undefined;
      const from = packed ?? wire;
      do {
        if (packed?.isAtEnd) return;
        allowance.takeNumber();
        push(message, name, kind === 'ints' ? from.varint() : from.float());
      } while (packed);
    }
  }
}

/** A run of packed numbers, or one of them by itself. */
function pieceOf(wire: Wire, encoding: number, allowance: Allowance): Uint8Array | number {
  allowance.takeObject();
  if (encoding === DELIMITED) return wire.delimited();
  if (encoding === FIXED32) return wire.take(4);
  return encoding === FIXED64 ? wire.take(8) : wire.varint();
}
