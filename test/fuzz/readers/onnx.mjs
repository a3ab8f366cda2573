// ONNX files: protocol buffers, changed field by field with right lengths, or byte by byte.
import { readFileSync } from 'node:fs';
import { ODD, changeBytes, integer, joined, pick } from '../mutations.mjs';

export const name = 'onnx';

const encoder = new TextEncoder();
const VARINT = 0;
const DELIMITED = 2;

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(Number.isFinite(value) ? Math.trunc(value) : 0));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** A field as [number, kind of encoding, value]: a number, bytes, or the fields of a message. */
function encode(fields) {
  const pieces = fields.flatMap(([number, wire, value]) => {
    const key = varint(number * 8 + wire);
    if (wire === VARINT) return [key, varint(value)];
    const bytes = Array.isArray(value) ? encode(value) : value;
    return wire === DELIMITED ? [key, varint(bytes.length), bytes] : [key, bytes];
  });
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Fields that hold messages, by those that they are in. */
const TENSOR = { 13: {} };
const VALUE = { 2: { 1: { 2: { 1: {} } } } };
const GRAPH = { 5: TENSOR, 11: VALUE, 12: VALUE };
GRAPH[1] = { 5: { 5: TENSOR, 6: GRAPH } };
const MODEL = { 7: GRAPH, 8: {} };

function decode(bytes, schema) {
  const fields = [];
  let at = 0;
  const number = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128 || byte === undefined) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const key = number();
    const [field, wire] = [Math.floor(key / 8), key & 7];
    if (wire === VARINT) fields.push([field, wire, number()]);
    else {
      const length = wire === DELIMITED ? number() : wire === 5 ? 4 : 8;
      const own = bytes.subarray(at, at + length);
      at += length;
      const inner = schema[field];
      fields.push([field, wire, inner ? decode(own, inner) : own]);
    }
  }
  return fields;
}

const WORDS =
  'x y input Add Sub Mul Div Pow Relu Softmax LSTM GRU RNN MatMul Gemm Conv Reshape Transpose Slice Concat Gather Squeeze Unsqueeze Split Pad ReduceMean Shape Expand If Loop Flatten Identity Erf MaxPool Tile Where ConvTranspose ScatterND InstanceNormalization Resize Range axis axes perm direction reverse bidirectional activations clip layout hidden_size batch time __proto__'.split(
    ' ',
  );

/** All fields of a tree, with the list that each is in. */
function* all(fields) {
  for (const [k, field] of fields.entries()) {
    yield [fields, k];
    if (Array.isArray(field[2])) yield* all(field[2]);
  }
}

function change(fields, random) {
  const [list, k] = pick(random, [...all(fields)]);
  const field = list[k];
  const kind = integer(random, 0, 6);
  if (kind === 0) list.splice(k, 1);
  else if (kind === 1) list.splice(k, 0, structuredClone(field));
  else if (kind === 2) list.push(...list.splice(k, 1));
  else if (field[1] === VARINT) field[2] = integer(random, 0, 2) ? pick(random, ODD) : field[2] + 1;
  else if (field[1] === DELIMITED && !Array.isArray(field[2])) {
    const isText = field[2].length < 40 && field[2].every((byte) => byte > 31 && byte < 127);
    if (isText && kind < 6) field[2] = encoder.encode(pick(random, WORDS));
    else if (field[2].length) field[2] = changeBytes(field[2].slice(), random);
  } else if (kind === 3) field[0] = integer(random, 1, 20);
}

const text = (number, value) => [number, DELIMITED, encoder.encode(value)];
const message = (number, ...fields) => [number, DELIMITED, fields];
const whole = (number, value) => [number, VARINT, value];

const value = (number, tensor, ...sizes) =>
  message(
    number,
    text(1, tensor),
    message(
      2,
      message(
        1,
        whole(1, 1),
        message(
          2,
          ...sizes.map((size) =>
            message(1, typeof size === 'number' ? whole(1, size) : text(2, size)),
          ),
        ),
      ),
    ),
  );
const longs = (tensor, ...items) =>
  message(
    5,
    ...(items.length > 1 ? [whole(1, items.length)] : [whole(1, 1)]),
    whole(2, 7),
    text(8, tensor),
    [9, DELIMITED, new Uint8Array(BigInt64Array.from(items, BigInt).buffer)],
  );
const floats = (tensor, ...dims) =>
  message(5, ...dims.map((size) => whole(1, size)), whole(2, 1), text(8, tensor), [
    9,
    DELIMITED,
    new Uint8Array(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.25).buffer),
  ]);
const node = (type, inputs, output, ...attributes) =>
  message(1, ...inputs.map((one) => text(1, one)), text(2, output), text(4, type), ...attributes);
const number = (key, item) => message(5, text(1, key), whole(3, item), whole(20, 2));
const branch = (key, ...fields) => message(5, text(1, key), message(6, ...fields), whole(20, 5));

const graphFile = (fields) =>
  encode([whole(1, 8), [7, DELIMITED, fields], message(8, whole(2, 17))]);
const file = (...fields) => graphFile(fields);

/** Sizes that are read off, constants, branches, views, windows. */
const GRAPHS = [
  file(
    value(11, 'x', 'batch', 'time', 3),
    value(12, 'y', 'batch', 'time', 4),
    floats('w', 3, 4),
    longs('flat', -1, 3),
    longs('zero', 0),
    longs('one', 1),
    longs('four', 4),
    node('Shape', ['x'], 'shape'),
    node('Gather', ['shape', 'zero'], 'b'),
    node('Gather', ['shape', 'one'], 't'),
    node('Reshape', ['x', 'flat'], 'rows'),
    node('MatMul', ['rows', 'w'], 'made'),
    node('Concat', ['b', 't', 'four'], 'sizes', number('axis', 0)),
    node('Reshape', ['made', 'sizes'], 'y'),
  ),
  file(
    value(11, 'x', 2, 3, 8),
    value(12, 'y', 2, 5, 4),
    floats('w', 5, 3, 3),
    longs('at', -1),
    longs('axis', 1),
    longs('end', 2 ** 62),
    node('Conv', ['x', 'w'], 'made'),
    node('Relu', ['made'], 'positive'),
    node('Slice', ['positive', 'at', 'end', 'axis'], 'last'),
    node('Equal', ['at', 'axis'], 'is'),
    node(
      'If',
      ['is'],
      'y',
      branch('then_branch', node('Neg', ['last'], 'a'), value(12, 'a')),
      branch('else_branch', node('Abs', ['last'], 'b'), value(12, 'b')),
    ),
  ),
  file(
    value(11, 'x', 'time', 'batch', 2),
    value(12, 'y'),
    floats('w', 2, 3),
    floats('r', 3, 3),
    longs('one', 1),
    longs('axis', 0),
    longs('three', 3),
    node('Shape', ['x'], 'shape'),
    node('Gather', ['shape', 'axis'], 'time'),
    node('Gather', ['shape', 'one'], 'batch'),
    node('Concat', ['batch', 'three'], 'sizes', number('axis', 0)),
    node('ConstantOfShape', ['sizes'], 'zeros'),
    node('Less', ['axis', 'time'], 'begins'),
    message(
      1,
      ...['time', 'begins', 'axis', 'zeros'].map((one) => text(1, one)),
      ...['', '', 'y'].map((one) => text(2, one)),
      text(4, 'Loop'),
      branch(
        'body',
        value(11, 'i'),
        value(11, 'goes'),
        value(11, 'count'),
        value(11, 'h', 'batch', 3),
        value(12, 'less'),
        value(12, 'next'),
        value(12, 'hn'),
        value(12, 'hn'),
        node('Add', ['count', 'one'], 'next'),
        node('Less', ['next', 'time'], 'less'),
        node('Gather', ['x', 'count'], 'row'),
        node('MatMul', ['row', 'w'], 'wx'),
        node('MatMul', ['h', 'r'], 'rh'),
        node('Add', ['wx', 'rh'], 'sum'),
        node('Tanh', ['sum'], 'hn'),
      ),
    ),
  ),
];

/** Not a Buffer, whose slices would share its bytes. */
const fixture = (name) =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/onnx/${name}.onnx`, import.meta.url)));

/** Cells that PyTorch took apart. */
const CELLS = ['lstm-cell', 'gru-cell', 'joined-cell', 'reset-before', 'packed-state'].map(fixture);

const DESCRIPTIONS = [
  {
    layers: [
      { type: 'embedding', numEmbeddings: 5, embeddingDim: 3 },
      { type: 'lstm', hiddenSize: 4, bidirectional: true, initialState: 'learned' },
      { type: 'pool', mode: 'last' },
      { type: 'linear', outFeatures: 2, activation: 'softmax' },
    ],
  },
  {
    layers: [
      { type: 'conv1d', inChannels: 2, outChannels: 3, kernelSize: 3, padding: 'causal' },
      { type: 'layerNorm' },
      { type: 'gru', name: 'g', hiddenSize: 3, resetAfter: false },
      { type: 'maxPool1d', poolSize: 2 },
      { type: 'activation', activation: 'gelu' },
      { type: 'rmsNorm' },
      { type: 'linear', outFeatures: 2 },
    ],
  },
];

/** Nets that become programs. */
const PROGRAMS = ['packed', 'second', 'voice'].map(fixture);

let made;
export function seeds(gatefold) {
  if (made || !gatefold) return made ?? [...GRAPHS, ...CELLS];
  const { Engine, Model, writeOnnx } = gatefold;
  const engine = Engine.createSync();
  const written = DESCRIPTIONS.map((one) => writeOnnx(Model.create(engine, one)));
  made = [...GRAPHS, ...CELLS, ...written, ...PROGRAMS];
  return made;
}

export function mutate(bytes, random) {
  if (integer(random, 0, 9) === 0) return changeBytes(bytes, random);
  const fields = decode(bytes, MODEL);
  for (let times = integer(random, 1, 3); times > 0 && fields.length; times--)
    change(fields, random);
  return encode(fields);
}

export const inspect = ({ readOnnx }, bytes) => readOnnx(bytes);
export const read = ({ loadOnnx }, engine, bytes) => loadOnnx(engine, bytes);

const many = (size, of) => {
  const one = of(0);
  const count = Math.floor(size / encode([one]).length);
  return Array.from({ length: count }, (_, k) => of(k));
};
/** The bytes of a field as often as they fit. */
const repeated = (size, one) => {
  const own = encode([one]);
  return Uint8Array.from({ length: size - (size % own.length) }, (_, k) => own[k % own.length]);
};
export const large = {
  'one matrix': (size) => {
    const width = Math.floor(Math.sqrt(size / 4));
    return file(
      value(11, 'x', 'batch', 'time', width),
      value(12, 'y'),
      floats('w', width, width),
      node('MatMul', ['x', 'w'], 'y'),
    );
  },
  'nodes without an end': (size) =>
    graphFile([
      value(11, 'x0', 'batch', 'time', 3),
      value(12, 'x1'),
      ...many(size, (k) => node('Relu', [`x${k}`], `x${k + 1}`)),
    ]),
  'empty nodes': (size) => graphFile(repeated(size, message(1))),
  'inputs without an end': (size) => graphFile(repeated(size, value(11, 'x', 'batch', 'time', 3))),
  'tensors without an end': (size) => graphFile(repeated(size, floats('w', 1))),
  'attributes without an end': (size) =>
    graphFile([[1, DELIMITED, joined(encode([text(1, 'x')]), repeated(size, number('axis', 1)))]]),
  'names without an end': (size) => graphFile([[1, DELIMITED, repeated(size, text(1, 'x'))]]),
  'numbers without an end': (size) =>
    graphFile([
      message(1, text(4, 'Pad'), message(5, text(1, 'pads'), [8, DELIMITED, new Uint8Array(size)])),
    ]),
  'branches without an end': (size) =>
    graphFile([
      [
        1,
        DELIMITED,
        joined(
          encode([text(4, 'If')]),
          repeated(size, branch('then_branch', node('Relu', ['x'], 'y'))),
        ),
      ],
    ]),
};
