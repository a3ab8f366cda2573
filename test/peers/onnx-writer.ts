/**
 * Writes ONNX models: only the messages of `onnx.proto` that a graph of recurrent nodes needs, so
 * that tests and benches hand onnxruntime any model without a protobuf library. Field numbers below
 * are those of `onnx.proto`.
 */

/**
 * A constant of the graph: `Float32Array` is written as FLOAT, `Int32Array` as INT32,
 * `BigInt64Array` (axes, shapes) as INT64.
 */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array;
}

/** An input of the graph; a string names a dimension that is only known when the model runs. */
export interface OnnxInput {
  readonly name: string;
  /** Default float. */
  readonly type?: 'float' | 'int32';
  readonly dims: readonly (number | string)[];
}

/**
 * Numbers are written as INT, `{ float }` as FLOAT, `Float32Array` as FLOATS, `Int32Array` as INTS.
 */
export type OnnxAttribute =
  number | string | readonly string[] | { readonly float: number } | Float32Array | Int32Array;

export interface OnnxNode {
  readonly opType: string;
  /** An empty name leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxGraph {
  readonly inputs: readonly OnnxInput[];
  /** Names of values that nodes give; all are float32. */
  readonly outputs: readonly string[];
  readonly initializers: readonly OnnxTensor[];
  readonly nodes: readonly OnnxNode[];
  /** Default that of the recurrent operators; others came later. */
  readonly opset?: number;
}

/**
 * The last opset that changed the recurrent operators before 22; every onnxruntime of today reads
 * it.
 */
const OPSET = 14;
const IR_VERSION = 8;

const WIRE_VARINT = 0;
const WIRE_LENGTH_DELIMITED = 2;
const WIRE_FIXED32 = 5;

const DATA_TYPE = { float: 1, int32: 6, int64: 7 };
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, floats: 6, ints: 7, strings: 8 };

const utf8 = new TextEncoder();

/** One protobuf message in the making. */
class Message {
  private readonly pieces: Uint8Array[] = [];

  int(field: number, value: number): this {
    return this.varint((field << 3) | WIRE_VARINT).varint(value);
  }

  bytes(field: number, value: Uint8Array): this {
    this.varint((field << 3) | WIRE_LENGTH_DELIMITED).varint(value.length);
    this.pieces.push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  float(field: number, value: number): this {
    this.varint((field << 3) | WIRE_FIXED32);
    this.pieces.push(bytesOf(Float32Array.of(value)));
    return this;
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.encode());
  }

  messages(field: number, values: readonly Message[]): this {
    for (const value of values) this.message(field, value);
    return this;
  }

  encode(): Uint8Array {
    const whole = new Uint8Array(this.pieces.reduce((size, piece) => size + piece.length, 0));
    let offset = 0;
    for (const piece of this.pieces) {
      whole.set(piece, offset);
      offset += piece.length;
    }
    return whole;
  }

  /** Seven bits a byte, low ones first; the value is never negative here. */
  private varint(value: number): this {
    const bytes: number[] = [];
    for (let rest = value; ; rest = Math.floor(rest / 128)) {
      bytes.push(rest < 128 ? rest : (rest % 128) | 0x80);
      if (rest < 128) break;
    }
    this.pieces.push(Uint8Array.from(bytes));
    return this;
  }
}

function bytesOf(values: OnnxTensor['data']): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function dataTypeOf(data: OnnxTensor['data']): number {
  if (data instanceof Float32Array) return DATA_TYPE.float;
  return data instanceof Int32Array ? DATA_TYPE.int32 : DATA_TYPE.int64;
}

/** TensorProto */
function tensorMessage({ name, dims, data }: OnnxTensor): Message {
  const message = new Message();
  for (const dim of dims) message.int(1, dim);
  return message.int(2, dataTypeOf(data)).string(8, name).bytes(9, bytesOf(data));
}

/**
 * ValueInfoProto > TypeProto > Tensor > TensorShapeProto > Dimension; without dims the shape is
 * left to inference.
 */
function valueMessage(
  name: string,
  dims?: OnnxInput['dims'],
  type: keyof typeof DATA_TYPE = 'float',
): Message {
  const tensorType = new Message().int(1, DATA_TYPE[type]);
  if (dims) {
    const shape = new Message();
    for (const dim of dims) {
      const dimension = new Message();
      shape.message(1, typeof dim === 'string' ? dimension.string(2, dim) : dimension.int(1, dim));
    }
    tensorType.message(2, shape);
  }
  return new Message().string(1, name).message(2, new Message().message(1, tensorType));
}

/** AttributeProto */
function attributeMessage(name: string, value: OnnxAttribute): Message {
  const message = new Message().string(1, name);
  if (typeof value === 'number') return message.int(3, value).int(20, ATTRIBUTE_TYPE.int);
  if (typeof value === 'string') return message.string(4, value).int(20, ATTRIBUTE_TYPE.string);
  if (value instanceof Float32Array) {
    return message.bytes(7, bytesOf(value)).int(20, ATTRIBUTE_TYPE.floats);
  }
  if (value instanceof Int32Array) {
    for (const item of value) message.int(8, item);
    return message.int(20, ATTRIBUTE_TYPE.ints);
  }
  if ('float' in value) return message.float(2, value.float).int(20, ATTRIBUTE_TYPE.float);
  for (const item of value) message.string(9, item);
  return message.int(20, ATTRIBUTE_TYPE.strings);
}

/** NodeProto */
function nodeMessage({ opType, inputs, outputs, attributes = {} }: OnnxNode): Message {
  const message = new Message();
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  return message.string(4, opType).messages(
    5,
    Object.entries(attributes).map(([name, value]) => attributeMessage(name, value)),
  );
}

/** ModelProto */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  const graphMessage = new Message()
    .messages(1, graph.nodes.map(nodeMessage))
    .string(2, 'recurrent')
    .messages(5, graph.initializers.map(tensorMessage))
    .messages(
      11,
      graph.inputs.map(({ name, dims, type }) => valueMessage(name, dims, type)),
    )
    .messages(
      12,
      graph.outputs.map((name) => valueMessage(name)),
    );
  return new Message()
    .int(1, IR_VERSION)
    .message(7, graphMessage)
    .message(8, new Message().int(2, graph.opset ?? OPSET))
    .encode();
}
