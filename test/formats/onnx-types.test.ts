/** Types of elements, where they are stored, versions of operators, and what is refused by name. */
import { describe, expect, it } from 'vitest';
import { loadOnnx, readOnnx } from '../../src/formats/onnx.ts';
import type { OnnxOptions } from '../../src/formats/onnx.ts';
import { build } from '../../src/formats/shared/imported.ts';
import { GatefoldError } from '../../src/hosts/default.ts';
import { encodeOnnx } from '../peers/onnx-writer.ts';
import type { OnnxGraph, OnnxNode, OnnxTensor } from '../peers/onnx-writer.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { oracle } from './onnx-oracle.ts';
import { runImported, worstOf } from './onnx-run.ts';

const [T, B, I, H] = [5, 2, 3, 4];
const random = createRandom(3);
const drawn = (name: string, dims: number[], scale = 0.6): OnnxTensor & { data: Float32Array } => {
  const count = dims.reduce((a, b) => a * b, 1);
  return { name, dims, data: Float32Array.from(random.vector(count, scale)) };
};
const [W, R, bias] = [
  drawn('W', [1, 4 * H, I]),
  drawn('R', [1, 4 * H, H]),
  drawn('B', [1, 8 * H], 0.3),
];
const head = drawn('head', [H, 2]);
const x = { name: 'x', shape: [T, B, I], data: Float32Array.from(random.vector(T * B * I, 1)) };

/** An LSTM and a product, whose weights have the names that `nodes` before it may give. */
function graphOf(more: Partial<OnnxGraph> = {}, last: Partial<OnnxNode> = {}): OnnxGraph {
  const { nodes = [] } = more;
  return {
    inputs: [{ name: 'x', dims: ['time', 'batch', I] }],
    outputs: ['y'],
    initializers: [W, R, bias, head],
    opset: 13,
    ...more,
    nodes: [
      ...nodes,
      {
        opType: 'LSTM',
        inputs: ['x', 'W', 'R', 'B'],
        outputs: ['Y', 'h'],
        attributes: { hidden_size: H },
        ...last,
      },
      { opType: 'Relu', inputs: ['h'], outputs: ['last'] },
      { opType: 'MatMul', inputs: ['last', 'head'], outputs: ['y'] },
    ],
  };
}

const engine = createEngine('relaxed');

/** What is made of x. */
function run(graph: OnnxGraph, options: OnnxOptions = {}): Float32Array {
  const model = build(engine, readOnnx(encodeOnnx(graph), options));
  const { y } = runImported(model, [x]);
  model.dispose();
  return y!;
}

/** The largest difference from onnxruntime on another graph. */
async function difference(graph: OnnxGraph, theirs = graph): Promise<number> {
  const expected = await oracle(encodeOnnx(theirs), [x]);
  const model = build(engine, readOnnx(encodeOnnx(graph)));
  const worst = worstOf(model, runImported(model, [x]), expected, [x]);
  model.dispose();
  return worst;
}

const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof GatefoldError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing was thrown';
};

/** Bits of float16 and bfloat16, by arithmetic: numbers here are neither tiny nor large. */
function halfBits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const steps = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024);
  return (value < 0 ? 0x8000 : 0) + (((exponent + 15) << 10) + steps);
}
const brainBits = (value: number): number =>
  (new Uint32Array(Float32Array.of(value).buffer)[0]! + 0x8000) >>> 16;
const ofHalf = (bits: number): number => {
  const size = 2 ** (((bits >> 10) & 31) - 15) * (1 + (bits & 1023) / 1024);
  return bits & 0x8000 ? -size : bits === 0 ? 0 : size;
};
const ofBrain = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;

const rounded = (tensor: OnnxTensor, of: (x: number) => number): OnnxTensor => ({
  ...tensor,
  data: (tensor.data as Float32Array).map(of),
});
const all = [W, R, bias, head];

describe('types of elements', () => {
  it.each([
    ['float16', 'half', halfBits, ofHalf],
    ['bfloat16', 'bfloat16', brainBits, ofBrain],
  ] as const)('%s, raw and as a list', (_, type, bitsOf, of) => {
    const expected = run(
      graphOf({ initializers: all.map((t) => rounded(t, (v) => of(bitsOf(v)))) }),
    );
    for (const isList of [false, true]) {
      const initializers = all.map((t) => ({
        ...t,
        type,
        isList,
        data: Uint16Array.from(t.data, bitsOf),
      }));
      const inputs = [{ name: 'x', dims: ['time', 'batch', I], type }];
      expect(run(graphOf({ initializers, inputs }))).toEqual(expected);
    }
    expect(expected.some((y) => y !== 0)).toBe(true);
  });

  it('float64, raw and as a list, with casts on the way', () => {
    const expected = run(graphOf());
    const wide = (isList: boolean): OnnxTensor[] =>
      all.map((t) => ({ ...t, isList, data: Float64Array.from(t.data) }));
    for (const isList of [false, true]) {
      expect(run(graphOf({ initializers: wide(isList) }))).toEqual(expected);
    }
    const given = graphOf({
      initializers: wide(true).map((t) => ({ ...t, name: `${t.name}64` })),
      nodes: all.map(({ name }) => ({
        opType: 'Cast',
        inputs: [`${name}64`],
        outputs: [name],
        attributes: { to: 1 },
      })),
    });
    expect(run(given)).toEqual(expected);
  });

  it('weights of 8 bits: of each channel signed, of a tensor unsigned, and quantised in the file', async () => {
    const scales = Float32Array.from({ length: 4 * H }, (_, k) => 0.004 + k / 8192);
    const signed = Int8Array.from(W.data, (v, k) => {
      const scale = scales[Math.floor(k / I)]!;
      return Math.min(Math.max(Math.round(v / scale), -128), 127);
    });
    const unsigned = Uint8Array.from(R.data, (v) =>
      Math.min(Math.max(Math.round(v / 0.006) + 120, 0), 255),
    );
    const zero = { name: 'Rz', dims: [], data: Uint8Array.of(120) };
    for (const isList of [false, true]) {
      const graph = graphOf({
        initializers: [
          bias,
          { name: 'Wq', dims: W.dims, data: signed, isList },
          { name: 'Ws', dims: [4 * H], data: scales },
          { name: 'Wz', dims: [4 * H], data: new Int8Array(4 * H) },
          { name: 'Rq', dims: R.dims, data: unsigned, isList },
          { name: 'Rs', dims: [], data: Float32Array.of(0.006) },
          zero,
          { ...head, name: 'head32' },
          { name: 'hs', dims: [], data: Float32Array.of(0.01) },
          { name: 'hz', dims: [], data: Int8Array.of(3) },
        ],
        nodes: [
          {
            opType: 'DequantizeLinear',
            inputs: ['Wq', 'Ws', 'Wz'],
            outputs: ['W'],
            attributes: { axis: 1 },
          },
          { opType: 'DequantizeLinear', inputs: ['Rq', 'Rs', 'Rz'], outputs: ['R'] },
          { opType: 'QuantizeLinear', inputs: ['head32', 'hs', 'hz'], outputs: ['headq'] },
          { opType: 'DequantizeLinear', inputs: ['headq', 'hs', 'hz'], outputs: ['head'] },
        ],
      });
      expect(await difference(graph)).toBeLessThan(1e-6);
    }
  });
});

describe('files beside the model', () => {
  const bytes = new Uint8Array(16 + W.data.byteLength + R.data.byteLength);
  bytes.set(new Uint8Array(W.data.buffer), 16);
  bytes.set(new Uint8Array(R.data.buffer), 16 + W.data.byteLength);
  const outside = (tensor: OnnxTensor, offset: number): OnnxTensor => ({
    ...tensor,
    external: {
      location: 'weights.bin',
      offset: String(offset),
      length: String(tensor.data.byteLength),
    },
  });
  const graph = graphOf({
    initializers: [outside(W, 16), outside(R, 16 + W.data.byteLength), bias, head],
  });

  it('are read out of a map', () => {
    const expected = run(graphOf());
    expect(run(graph, { data: new Map([['weights.bin', bytes]]) })).toEqual(expected);
    expect(run(graph, { data: new Map([['weights.bin', bytes.buffer]]) })).toEqual(expected);
  });

  it('are asked for by name, and refused where they are too short', () => {
    const read = (data?: Map<string, Uint8Array>): string =>
      refusal(() => readOnnx(encodeOnnx(graph), data ? { data } : {}));
    expect(read()).toMatch(
      /^ERR_ARGUMENT: the tensor "W" is in the file "weights.bin": pass \{ data/,
    );
    expect(read(new Map([['other.bin', bytes]]))).toMatch(/^ERR_ARGUMENT/);
    const short = new Map([['weights.bin', bytes.subarray(0, bytes.length - 1)]]);
    expect(read(short)).toMatch(/^ERR_FORMAT: .*the tensor "R" does not fit "weights.bin"/);
  });
});

describe('versions of operators', () => {
  it.each([6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22])('%d', async (opset) => {
    // Small names of activations are those of version 6, which onnxruntime reads in others too.
    const names = ['Sigmoid', 'Tanh', 'Tanh'].map((name) =>
      opset === 6 ? name.toLowerCase() : name,
    );
    const attributes = { hidden_size: H, activations: names };
    const own = graphOf({ opset }, { attributes });
    // The runtime reads the operators of version 7 on: the formulas are the same.
    const theirs = graphOf({ opset: Math.min(Math.max(opset, 7), 21) });
    expect(await difference(own, theirs)).toBeLessThan(1e-6);
  });
});

describe('refused by name, with the node', () => {
  const node = (opType: string, domain?: string): OnnxNode => ({
    opType,
    inputs: ['x', 'W', 'R', 'B'],
    outputs: ['Y', 'h'],
    ...(domain && { domain }),
  });
  it.each([
    [
      node('DynamicQuantizeLSTM', 'com.microsoft'),
      'DynamicQuantizeLSTM "Y": operators of "com.microsoft"',
    ],
    [node('QAttention', 'com.microsoft'), 'QAttention "Y": operators of "com.microsoft"'],
    [node('QLinearMatMul'), 'QLinearMatMul "Y": the operator is not supported'],
    [node('QLinearConv'), 'QLinearConv "Y": the operator is not supported'],
    [node('MatMulInteger'), 'MatMulInteger "Y": the operator is not supported'],
    [node('ConvInteger'), 'ConvInteger "Y": the operator is not supported'],
    [node('DynamicQuantizeLinear'), 'DynamicQuantizeLinear "Y": the operator is not supported'],
    [node('QuantizeLinear'), 'QuantizeLinear "Y": each of its inputs must be a constant'],
  ])('%j', (given, expected) => {
    const graph = graphOf({}, given);
    const message = refusal(() => loadOnnx(engine, encodeOnnx(graph)));
    expect(message).toContain('ERR_UNSUPPORTED: the model cannot be read: ');
    expect(message).toContain(expected);
  });
});

it.each(['LayerNormalization', 'PRelu', 'Add', 'Mul'])('refuses %s with no numbers', (opType) => {
  const none = { name: 'none', dims: [0], data: new Float32Array() };
  const graph: OnnxGraph = {
    inputs: [{ name: 'x', dims: ['time', 'batch', I] }],
    outputs: ['y'],
    initializers: [none],
    opset: 17,
    nodes: [{ opType, inputs: ['x', 'none'], outputs: ['y'] }],
  };
  const given = { dims: { time: 4, batch: 1 } };
  expect(refusal(() => loadOnnx(engine, encodeOnnx(graph), given))).toContain(`${opType} "y": `);
});
