/**
 * Writes ONNX models: only the messages of `onnx.proto` that a graph of recurrent nodes needs, so
 * that tests and benches hand onnxruntime any model without a protobuf library. Field numbers below
 * are those of `onnx.proto`.
 */

/**
 * A constant of the graph: `Float32Array` is written as FLOAT, `Int32Array` as INT32,
 * `BigInt64Array` (axes, shapes) as INT64, `Uint16Array` as FLOAT16.
 */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data:
    Float32Array | Float64Array | Int32Array | BigInt64Array | Int8Array | Uint8Array | Uint16Array;
  /** Whether elements are a list of numbers, rather than raw bytes. */
  readonly isList?: boolean;
  /** Another type of the same bytes. */
  readonly type?: keyof typeof DATA_TYPE;
  /** The file that has the bytes, and where. */
  readonly external?: Readonly<Record<string, string>>;
}

/**
 * An input of the graph; a string names a dimension that is only known when the model runs, an
 * empty one leaves it without a name.
 */
export interface OnnxInput {
  readonly name: string;
  readonly dims: readonly (number | string)[];
  /** Default `float`. */
  readonly type?: keyof typeof DATA_TYPE;
}

/**
 * Numbers are written as INT, `{ float }` as FLOAT, `Float32Array` as FLOATS, `Int32Array` as INTS,
 * `{ graph }` as a subgraph.
 */
export type OnnxAttribute =
  | number
  | string
  | readonly string[]
  | { readonly float: number }
  | { readonly graph: Omit<OnnxGraph, 'opset'> }
  | { readonly tensor: OnnxTensor }
  | Float32Array
  | Int32Array;

export interface OnnxNode {
  readonly opType: string;
  readonly domain?: string;
  /** An empty name leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxGraph {
  readonly inputs: readonly OnnxInput[];
  /** Names of values that nodes give; all are float32 but for those of `types`. */
  readonly outputs: readonly string[];
  readonly types?: Readonly<Record<string, OnnxInput['type']>>;
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

const DATA_TYPE = {
  float: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  half: 10,
  double: 11,
  bfloat16: 16,
};
const ATTRIBUTE_TYPE = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
};

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

  /** Seven bits a byte, low ones first; a negative one has 64 bits. */
  varint(value: number): this {
    const bytes: number[] = [];
    if (value < 0) {
      for (let rest = BigInt.asUintN(64, BigInt(value)), k = 0; k < 10; k++, rest >>= 7n) {
        bytes.push(Number(rest & 0x7fn) | (k < 9 ? 0x80 : 0));
      }
      this.pieces.push(Uint8Array.from(bytes));
      return this;
    }
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
  const { float, double, int32, int8, uint8, half, int64 } = DATA_TYPE;
  if (data instanceof Float32Array) return float;
  if (data instanceof Float64Array) return double;
  if (data instanceof Int32Array) return int32;
  if (data instanceof Int8Array) return int8;
  if (data instanceof Uint8Array) return uint8;
  return data instanceof Uint16Array ? half : int64;
}

/** TensorProto */
function tensorMessage({ name, dims, data, isList, type, external }: OnnxTensor): Message {
  const message = new Message();
  for (const dim of dims) message.int(1, dim);
  message.int(2, type ? DATA_TYPE[type] : dataTypeOf(data)).string(8, name);
  if (external) {
    for (const [key, value] of Object.entries(external)) {
      message.message(13, new Message().string(1, key).string(2, value));
    }
    return message.int(14, 1);
  }
  if (!isList) return message.bytes(9, bytesOf(data));
  if (data instanceof Float32Array) return message.bytes(4, bytesOf(data));
  if (data instanceof Float64Array) return message.bytes(10, bytesOf(data));
  for (const item of data) message.int(data instanceof BigInt64Array ? 7 : 5, Number(item));
  return message;
}

/**
 * ValueInfoProto > TypeProto > Tensor > TensorShapeProto > Dimension; without dims the shape is
 * left to inference.
 */
function valueMessage(
  name: string,
  dims?: OnnxInput['dims'],
  type: OnnxInput['type'] = 'float',
): Message {
  const tensorType = new Message().int(1, DATA_TYPE[type]);
  if (dims) {
    const shape = new Message();
    for (const dim of dims) {
      const dimension = new Message();
      if (typeof dim === 'number') dimension.int(1, dim);
      else if (dim !== '') dimension.string(2, dim);
      shape.message(1, dimension);
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
  if ('graph' in value) {
    return message.message(6, graphMessage(value.graph)).int(20, ATTRIBUTE_TYPE.graph);
  }
  if ('tensor' in value) {
    return message.message(5, tensorMessage(value.tensor)).int(20, ATTRIBUTE_TYPE.tensor);
  }
  if ('float' in value) return message.float(2, value.float).int(20, ATTRIBUTE_TYPE.float);
  for (const item of value) message.string(9, item);
  return message.int(20, ATTRIBUTE_TYPE.strings);
}

/** NodeProto */
function nodeMessage({ opType, domain, inputs, outputs, attributes = {} }: OnnxNode): Message {
  const message = new Message();
  if (domain) message.string(7, domain);
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  return message.string(4, opType).messages(
    5,
    Object.entries(attributes).map(([name, value]) => attributeMessage(name, value)),
  );
}

/** GraphProto */
function graphMessage({
  nodes,
  initializers,
  inputs,
  outputs,
  types = {},
}: Omit<OnnxGraph, 'opset'>): Message {
  return new Message()
    .messages(1, nodes.map(nodeMessage))
    .string(2, 'recurrent')
    .messages(5, initializers.map(tensorMessage))
    .messages(
      11,
      inputs.map(({ name, dims, type }) => valueMessage(name, dims, type)),
    )
    .messages(
      12,
      outputs.map((name) => valueMessage(name, undefined, types[name])),
    );
}

/** ModelProto */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  return new Message()
    .int(1, IR_VERSION)
    .message(7, graphMessage(graph))
    .message(8, new Message().int(2, graph.opset ?? OPSET))
    .encode();
}
