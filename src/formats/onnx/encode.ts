/** Writes the messages of `onnx.proto` that a model needs. */
import { isOf } from '../../base/arrays.ts';
import { encodeUtf8 } from '../../base/utf8.ts';
import type { Dim } from './dims.ts';

type Field = readonly [
  number: number,
  value: number | string | Uint8Array | Float32Array | Message,
];

/** One message in the making. */
export class Message {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;

  constructor(fields: readonly Field[] = []) {
    for (const [number, value] of fields) this.add(number, value);
  }

  /** A whole number, a text, bytes, a message, or float32 numbers one by one. */
  add(number: number, value: Field[1]): this {
    if (typeof value === 'number') {
      this.#varint(number * 8);
      this.#varint(value);
      return this;
    }
    if (isOf('Float32Array', value)) {
      for (const one of value) {
        this.#varint(number * 8 + 5);
        this.#push(bytesOf(Float32Array.of(one)));
      }
      return this;
    }
    const bytes =
      typeof value === 'string'
        ? encodeUtf8(value)
        : value instanceof Message
          ? value.bytes()
          : value;
    this.#varint(number * 8 + 2);
    this.#varint(bytes.length);
    this.#push(bytes);
    return this;
  }

  bytes(): Uint8Array {
    const whole = new Uint8Array(this.#size);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  #push(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#size += bytes.length;
  }

  /** Seven bits a byte, low ones first; a negative one has 64 bits. */
  #varint(value: number): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    this.#push(Uint8Array.from(bytes));
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

export const FLOAT = 1;
export const INT64 = 7;

export function tensorMessage(
  name: string,
  dims: readonly number[],
  data: Float32Array | BigInt64Array,
): Message {
  const type = isOf('Float32Array', data) ? FLOAT : INT64;
  const message = new Message();
  for (const size of dims) message.add(1, size);
  return message.add(2, type).add(8, name).add(9, bytesOf(data));
}

/** An input or output: its type, and sizes that are numbers or names. */
export function valueMessage(name: string, type: number, dims: readonly Dim[]): Message {
  const shape = new Message();
  for (const size of dims) {
    shape.add(1, new Message([[typeof size === 'number' ? 1 : 2, size]]));
  }
  const tensor = new Message([
    [1, type],
    [2, shape],
  ]);
  return new Message([
    [1, name],
    [2, new Message([[1, tensor]])],
  ]);
}

/** Whole numbers, `{ float }`, texts and lists of each. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { readonly float: number }
  | Float32Array;

function attributeMessage(name: string, value: AttributeValue): Message {
  const message = new Message([[1, name]]);
  if (typeof value === 'number') return message.add(3, value).add(20, 2);
  if (typeof value === 'string') return message.add(4, value).add(20, 3);
  if (isOf('Float32Array', value)) return message.add(7, value).add(20, 6);
  if ('float' in value) return message.add(2, Float32Array.of(value.float)).add(20, 1);
  const isText = typeof value[0] === 'string';
  for (const one of value) message.add(isText ? 9 : 8, one);
  return message.add(20, isText ? 8 : 7);
}

export function nodeMessage(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>>,
): Message {
  const message = new Message();
  for (const input of inputs) message.add(1, input);
  for (const output of outputs) message.add(2, output);
  message.add(3, outputs.find((name) => name !== '') ?? type).add(4, type);
  for (const [name, value] of Object.entries(attributes)) {
    message.add(5, attributeMessage(name, value));
  }
  return message;
}
