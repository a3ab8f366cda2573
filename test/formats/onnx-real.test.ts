/** Graphs of the forms that public files have, with small weights, against onnxruntime-web. */
import { describe, expect, it } from 'vitest';
import { loadOnnx, readOnnx } from '../../src/formats/onnx.ts';
import type { Model } from '../../src/hosts/default.ts';
import { encodeOnnx } from '../peers/onnx-writer.ts';
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from '../peers/onnx-writer.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { loopCase } from './onnx-loops.ts';
import { difference, oracle, programDifference } from './onnx-oracle.ts';
import type { OnnxArray } from './onnx-run.ts';

const engine = createEngine('relaxed');
const random = createRandom(14);

const floats = (...dims: number[]): Float32Array =>
  Float32Array.from(
    random.vector(
      dims.reduce((a, b) => a * b, 1),
      0.5,
    ),
  );
const weight = (name: string, ...dims: number[]): OnnxTensor => ({
  name,
  dims,
  data: floats(...dims),
});
const longs = (name: string, ...list: number[]): OnnxTensor => ({
  name,
  dims: [list.length],
  data: BigInt64Array.from(list, BigInt),
});
const scalar = (name: string, value: number): OnnxTensor => ({
  name,
  dims: [],
  data: BigInt64Array.of(BigInt(value)),
});
const node = (
  opType: string,
  inputs: string,
  outputs: string,
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): OnnxNode => ({
  opType,
  inputs: inputs.split(' ').map((name) => (name === '_' ? '' : name)),
  outputs: outputs.split(' ').map((name) => (name === '_' ? '' : name)),
  attributes,
});
const ints = (...list: number[]): Int32Array => Int32Array.from(list);
const typesOf = (bytes: Uint8Array, options: Parameters<typeof readOnnx>[1] = {}): string =>
  readOnnx(bytes, options)
    .description.layers.map(({ type }) => type)
    .join(' ');

/** The largest difference of a stream from calls of the file, each with the states before it. */
async function streamed(
  model: Model,
  bytes: Uint8Array,
  shape: readonly number[],
  states: Readonly<Record<string, { readonly of: string; readonly shape: readonly number[] }>>,
): Promise<number> {
  const stream = model.stream();
  const [x, y] = [model.inputs[0]!.name, model.outputs[0]!.name];
  let carried = Object.entries(states).map(([name, { shape: own }]): OnnxArray => {
    return { name, shape: own, data: new Float32Array(own.reduce((a, b) => a * b, 1)) };
  });
  const out = new Float32Array(model.outputSize);
  let worst = 0;
  for (let call = 0; call < 5; call++) {
    const data = floats(...shape);
    const wanted = await oracle(bytes, [{ name: x, shape, data }, ...carried]);
    const of = (name: string): OnnxArray => wanted.find((one) => one.name === name)!;
    stream.step(data, out);
    for (const [k, own] of out.entries()) worst = Math.max(worst, Math.abs(own - of(y).data[k]!));
    carried = carried.map((one) => ({ ...of(states[one.name]!.of), name: one.name }));
  }
  return worst;
}

/** Two LSTMs whose four states are one tensor: [batch, layer, unit, h or c]. */
function enhancer(): OnnxGraph {
  const [I, H] = [5, 3];
  const initializers = ['a', 'b'].flatMap((name, k) => [
    weight(`${name}W`, 1, 4 * H, k ? H : I),
    weight(`${name}R`, 1, 4 * H, H),
    weight(`${name}B`, 1, 8 * H),
  ]);
  const parts = [0, 1].flatMap((layer) =>
    [0, 1].map((state) => {
      initializers.push(
        longs(`from${layer}${state}`, 0, layer, 0, state),
        longs(`to${layer}${state}`, 2 ** 31 - 1, layer + 1, 2 ** 31 - 1, state + 1),
      );
      return [
        node(
          'Slice',
          `states from${layer}${state} to${layer}${state} axes`,
          `part${layer}${state}`,
        ),
        node('Squeeze', `part${layer}${state}`, `flat${layer}${state}`, { axes: ints(1, 3) }),
        node('Unsqueeze', `flat${layer}${state}`, `first${layer}${state}`, { axes: ints(0) }),
      ];
    }),
  );
  const layers = ['a', 'b'].flatMap((name, k) => [
    node('LSTM', `x${k} ${name}W ${name}R ${name}B _ first${k}0 first${k}1`, `Y${k} h${k} c${k}`, {
      hidden_size: H,
    }),
    node('Squeeze', `Y${k}`, `x${k + 1}`, { axes: ints(1) }),
    ...['h', 'c'].flatMap((state) => [
      node('Squeeze', `${state}${k}`, `${state}${k}flat`, { axes: ints(0) }),
      node('Unsqueeze', `${state}${k}flat`, `${state}${k}wide`, { axes: ints(1) }),
    ]),
  ]);
  return {
    inputs: [
      { name: 'x', dims: [1, 1, I] },
      { name: 'states', dims: [1, 2, H, 2] },
    ],
    outputs: ['y', 'statesN'],
    initializers: [...initializers, longs('axes', 0, 1, 2, 3), weight('D', H, I)],
    nodes: [
      ...parts.flat(),
      node('Transpose', 'x', 'x0', { perm: ints(1, 0, 2) }),
      ...layers,
      node('MatMul', 'x2', 'd'),
      ...['h', 'c'].flatMap((state) => [
        node('Concat', `${state}0wide ${state}1wide`, `${state}s`, { axis: 1 }),
        node('Unsqueeze', `${state}s`, `${state}sWide`, { axes: ints(-1) }),
      ]),
      node('Concat', 'hsWide csWide', 'statesN', { axis: -1 }),
      node('Sigmoid', 'd', 'y'),
    ].map((one) => (one.opType === 'MatMul' ? { ...one, inputs: ['x2', 'D'] } : one)),
    opset: 11,
  };
}

describe('a speech enhancer whose states are one tensor', () => {
  const graph = enhancer();
  const bytes = encodeOnnx(graph);
  const shape = [1, 2, 3, 2];

  it('reads each state out of the packed one', async () => {
    const { metadata } = readOnnx(bytes);
    expect(metadata).toMatchObject({
      inputs: { states: ['1', 'features', 'features', 'features'] },
      proposedCarry: { statesN: 'states' },
    });
    const inputs = [
      { name: 'x', shape: [1, 1, 5], data: floats(1, 1, 5) },
      { name: 'states', shape, data: floats(...shape) },
    ];
    expect(await difference(engine, { graph, inputs })).toBeLessThan(1e-6);
  });

  it('streams with the states carried', async () => {
    const options = { carry: { statesN: 'states' } };
    expect(typesOf(bytes, options)).toBe('lstm lstm linear');
    const model = loadOnnx(engine, bytes, options);
    const states = { states: { of: 'statesN', shape } };
    expect(await streamed(model, bytes, [1, 1, 5], states)).toBeLessThan(1e-6);
    model.dispose();
  });

  it('takes a state that two layers begin with for neither', () => {
    const twice = (name: string): string => (name === 'from10' ? 'from00' : name);
    const shared = {
      ...graph,
      nodes: graph.nodes.map((one) => ({
        ...one,
        inputs: one.inputs.map((name) => (name === 'to10' ? 'to00' : twice(name))),
      })),
    };
    expect(readOnnx(encodeOnnx(shared)).metadata['proposedCarry']).toBeUndefined();
  });
});

describe('steps that are counted', () => {
  const graph = (index: number): Uint8Array =>
    encodeOnnx({
      inputs: [{ name: 'x', dims: ['batch', 6, 2] }],
      outputs: ['y'],
      initializers: [weight('W', 1, 9, 2), weight('R', 1, 9, 3), scalar('index', index)],
      nodes: [
        node('Transpose', 'x', 't', { perm: ints(1, 0, 2) }),
        node('GRU', 't W R', 'Y', { hidden_size: 3 }),
        node('Squeeze', 'Y', 's', { axes: ints(1) }),
        node('Gather', 's index', 'y', { axis: 0 }),
      ],
      opset: 11,
    });
  const stepsOf = (index: number): number | undefined => {
    const [input] = readOnnx(graph(index)).description.inputs!;
    return typeof input === 'object' ? input.steps : undefined;
  };

  it('are as many as the file says, unless they are the first or the last', () => {
    expect([stepsOf(0), stepsOf(-1)]).toEqual([undefined, undefined]);
    expect([stepsOf(5), stepsOf(2), stepsOf(-2)]).toEqual([6, 6, 6]);
  });
});

describe('a splitter of sentences that halves the steps, and doubles them again', () => {
  const [E, C, H] = [3, 4, 2];
  const graph = (last: OnnxNode[]): OnnxGraph => ({
    inputs: [{ name: 'text', dims: ['batch', 'length'], type: 'uint8' }],
    outputs: ['y'],
    initializers: [
      weight('table', 9, E),
      weight('taps', C, E, 2),
      weight('W', 2, 4 * H, C),
      weight('R', 2, 4 * H, H),
      weight('D', 2 * H, 4),
      scalar('one', 1),
      longs('any', -1),
      longs('two', 2),
      longs('flat', 0, 0, -1),
      longs('first', 0),
    ],
    nodes: [
      node('Shape', 'text', 'sizes'),
      node('Gather', 'sizes one', 'length', { axis: 0 }),
      node('Cast', 'text', 'tokens', { to: 7 }),
      node('Gather', 'table tokens', 'e'),
      node('Transpose', 'e', 'et', { perm: ints(0, 2, 1) }),
      node('Conv', 'et taps', 'c', { kernel_shape: ints(2), strides: ints(2) }),
      node('Transpose', 'c', 'ct', { perm: ints(2, 0, 1) }),
      node('LSTM', 'ct W R', 'Y', { hidden_size: H, direction: 'bidirectional' }),
      node('Transpose', 'Y', 'Yt', { perm: ints(0, 2, 1, 3) }),
      node('Reshape', 'Yt flat', 'rows'),
      node('Transpose', 'rows', 'batches', { perm: ints(1, 0, 2) }),
      node('MatMul', 'batches D', 'd'),
      node('Unsqueeze', 'length first', 'long'),
      node('Concat', 'any long two', 'shape', { axis: 0 }),
      node('Reshape', 'd shape', 'z'),
      ...last,
    ],
    opset: 13,
  });
  const tokens = (batch: number, length: number): OnnxArray & { type: 'uint8' } => ({
    name: 'text',
    shape: [batch, length],
    data: Uint8Array.from({ length: batch * length }, () => Math.floor(random.unit() * 9)),
    type: 'uint8',
  });

  it.each([
    ['as it is', [node('Identity', 'z', 'y')]],
    ['after a Softmax over the classes', [node('Softmax', 'z', 'y', { axis: -1 })]],
  ])('%s, any batch and length', async (_, last) => {
    const bytes = encodeOnnx(graph(last));
    expect(readOnnx(bytes).metadata).toMatchObject({
      outputs: { y: ['batch', 'time', 'features'] },
    });
    for (const [batch, length] of [
      [1, 8],
      [3, 12],
      [2, 2],
    ] as const) {
      const given = { graph: graph(last), inputs: [tokens(batch, length)] };
      expect(await difference(engine, given)).toBeLessThan(1e-6);
      const sized = (own: Uint8Array): ReturnType<typeof readOnnx> =>
        readOnnx(own, { dims: { batch, length } });
      expect(await difference(engine, given, sized)).toBeLessThan(1e-6);
    }
  });
});

describe('attention over a recurrent layer', () => {
  const H = 4;
  /** A GRU, its steps as queries, keys and values, and both side by side. */
  const graph = (between: OnnxNode[], more: Partial<OnnxGraph> = {}): OnnxGraph => ({
    inputs: [{ name: 'x', dims: ['batch', 'time', 3] }],
    outputs: ['y'],
    initializers: [
      weight('W', 1, 3 * H, 3),
      weight('R', 1, 3 * H, H),
      { name: 'half', dims: [], data: Float32Array.of(0.5) },
      { name: 'three', dims: [1], data: Float32Array.of(3) },
      weight('mask', 5, 5),
      longs('one', 1),
    ],
    nodes: [
      node('Transpose', 'x', 't', { perm: ints(1, 0, 2) }),
      node('GRU', 't W R', 'Y', { hidden_size: H, linear_before_reset: 1 }),
      node('Squeeze', 'Y one', 's'),
      node('Transpose', 's', 'h', { perm: ints(1, 0, 2) }),
      node('Transpose', 'h', 'k', { perm: ints(0, 2, 1) }),
      node('MatMul', 'h k', 'a'),
      ...between,
      node('Softmax', 'b', 'p', { axis: -1 }),
      node('MatMul', 'p h', 'v'),
      node('Concat', 'h v', 'y', { axis: -1 }),
    ],
    opset: 13,
    ...more,
  });
  const x = (): OnnxArray => ({ name: 'x', shape: [2, 5, 3], data: floats(2, 5, 3) });
  const sized = (bytes: Uint8Array): ReturnType<typeof readOnnx> =>
    readOnnx(bytes, { dims: { batch: 2, time: 5 } });

  it.each([
    ['dot', 'gru attention concat', [node('Identity', 'a', 'b')]],
    ['scaledDot', 'gru attention concat', [node('Mul', 'half a', 'b')]],
    ['dot', 'gru scale attention concat', [node('Div', 'a three', 'b')]],
  ])('%s: a layer, for any batch and length', async (score, layers, between) => {
    const bytes = encodeOnnx(graph(between));
    expect(typesOf(bytes)).toBe(layers);
    const own = readOnnx(bytes).description.layers.find(({ type }) => type === 'attention');
    expect(own).toMatchObject({ score });
    expect(await difference(engine, { graph: graph(between), inputs: [x()] })).toBeLessThan(1e-6);
  });

  it.each([
    ['a mask that is added', [node('Add', 'a mask', 'b')]],
    ['scores that are turned', [node('Transpose', 'a', 'b', { perm: ints(0, 2, 1) })]],
    ['an activation of scores', [node('Tanh', 'a', 'b')]],
  ])('%s: a program', async (_, between) => {
    const given = graph(between);
    expect(sized(encodeOnnx(given)).metadata['program']).toMatch(
      /as a part of attention alone|the steps of the sequence elsewhere/,
    );
    expect(await difference(engine, { graph: given, inputs: [x()] }, sized)).toBeLessThan(1e-6);
  });

  it('scores and error functions that are outputs are no layers', async () => {
    const list = graph([node('Identity', 'a', 'y')]).nodes.slice(0, 7);
    const scores = graph([], { nodes: list });
    const errors = graph([], {
      nodes: [node('Mul', 'x root', 'm'), node('Erf', 'm', 'y')],
      initializers: [{ name: 'root', dims: [], data: Float32Array.of(Math.SQRT1_2) }],
    });
    const reasons = [
      [scores, 'as a part of attention alone'],
      [errors, 'as a part of Gelu alone'],
    ] as const;
    for (const [given, reason] of reasons) {
      expect(() => readOnnx(encodeOnnx(given))).toThrow('dims: { batch: N, time: N }');
      expect(sized(encodeOnnx(given)).metadata['program']).toContain(reason);
      expect(await difference(engine, { graph: given, inputs: [x()] }, sized)).toBeLessThan(1e-6);
    }
  });
});

describe('files of tf2onnx', () => {
  const H = 3;

  it('zeros for both directions, of a batch that is not known', async () => {
    const graph: OnnxGraph = {
      inputs: [{ name: 'x', dims: ['batch', 6, 2] }],
      outputs: ['y'],
      initializers: [
        weight('W', 2, 4 * H, 2),
        weight('R', 2, 4 * H, H),
        longs('none', 0),
        longs('one', 1),
        longs('wide', H),
        { name: 'zero', dims: [], data: new Float32Array(1) },
      ],
      nodes: [
        node('Transpose', 'x', 't', { perm: ints(1, 0, 2) }),
        node('Shape', 'x', 'sizes'),
        node('Slice', 'sizes none one none', 'count'),
        node('Concat', 'count wide', 'shape', { axis: 0 }),
        node('Expand', 'zero shape', 'zeros'),
        node('Unsqueeze', 'zeros none', 'first'),
        node('Concat', 'first first', 'both', { axis: 0 }),
        node('LSTM', 't W R _ _ both both', 'Y h', { hidden_size: H, direction: 'bidirectional' }),
        node('Transpose', 'h', 'y', { perm: ints(1, 0, 2) }),
      ],
      opset: 13,
    };
    const inputs = [{ name: 'x', shape: [4, 6, 2], data: floats(4, 6, 2) }];
    expect(await difference(engine, { graph, inputs })).toBeLessThan(1e-6);
  });

  it('loops are steps of programs too', async () => {
    const failures: string[] = [];
    let count = 0;
    for (let seed = 1; count < 8; seed++) {
      const given = loopCase(createRandom(seed));
      const isFixed = given.graph.inputs[0]!.dims.every((size) => typeof size === 'number');
      if (!isFixed) continue;
      count++;
      const error = await programDifference(engine, given);
      if (!(error < 1e-5)) failures.push(`seed ${seed}: ${error}`);
    }
    expect(failures).toEqual([]);
  });
});

describe('what is read of sequences that end early', () => {
  const step = node('Squeeze', 'Y', 's', { axes: ints(1) });
  const pooled = { axes: ints(0), keepdims: 0 };
  const graph = (nodes: OnnxNode[], isInput: boolean): OnnxGraph => ({
    inputs: [
      { name: 'x', dims: [5, 3, 2] },
      ...(isInput ? [{ name: 'n', dims: [3], type: 'int32' as const }] : []),
    ],
    outputs: ['y'],
    initializers: [
      weight('W', 1, 9, 2),
      weight('R', 1, 9, 3),
      weight('W2', 1, 9, 3),
      weight('R2', 1, 9, 3),
      weight('taps', 2, 3, 3),
      scalar('last', -1),
      ...(isInput ? [] : [{ name: 'n', dims: [3], data: Int32Array.of(5, 2, 3) }]),
    ],
    nodes: [node('GRU', 'x W R _ n', 'Y h', { hidden_size: 3 }), ...nodes],
    opset: 11,
  });
  const inputs = (): OnnxArray[] => [{ name: 'x', shape: [5, 3, 2], data: floats(5, 3, 2) }];

  it.each([
    ['the mean of all steps', [step, node('ReduceMean', 's', 'y', pooled)]],
    ['the last of all steps', [step, node('Gather', 's last', 'y', { axis: 0 })]],
    [
      'a layer without lengths',
      [step, node('GRU', 's W2 R2', 'Y2 h2', { hidden_size: 3 }), node('Identity', 'h2', 'y')],
    ],
    [
      'a convolution',
      [
        step,
        node('Transpose', 's', 't', { perm: ints(1, 2, 0) }),
        node('Conv', 't taps', 'y', { kernel_shape: ints(3) }),
      ],
    ],
  ])('%s: as the file has it', async (_, nodes) => {
    const given = { graph: graph(nodes, false), inputs: inputs() };
    expect(readOnnx(encodeOnnx(given.graph)).metadata['program']).toContain('behind the ends');
    expect(await difference(engine, given)).toBeLessThan(1e-6);
    expect(() => readOnnx(encodeOnnx(graph(nodes, true)))).toThrow(
      /reads steps behind the ends of sequences that sequence_lens shortens/,
    );
  });

  it.each([
    ['the steps', [node('Squeeze', 'Y', 'y', { axes: ints(1) })]],
    ['the last state', [node('Tanh', 'h', 'y')]],
    ['a layer with the same lengths', [step, node('GRU', 's W2 R2 _ n', 'y', { hidden_size: 3 })]],
  ])('%s: layers', async (_, nodes) => {
    const n = { name: 'n', shape: [3], data: Int32Array.of(5, 2, 3), type: 'int32' as const };
    const given = { graph: graph(nodes, true), inputs: [...inputs(), n] };
    expect(await difference(engine, given)).toBeLessThan(1e-6);
  });
});

describe('positions by sines', () => {
  it('are folded where the sizes are known', async () => {
    const graph: OnnxGraph = {
      inputs: [{ name: 'x', dims: ['batch', 6, 2] }],
      outputs: ['y'],
      initializers: [
        scalar('none', 0),
        scalar('six', 6),
        scalar('one', 1),
        longs('last', 1),
        { name: 'rates', dims: [1, 1], data: Float32Array.of(0.3) },
      ],
      nodes: [
        node('Range', 'none six one', 'steps'),
        node('Cast', 'steps', 'times', { to: 1 }),
        node('Unsqueeze', 'times last', 'column'),
        node('Mul', 'column rates', 'angles'),
        node('Sin', 'angles', 'sine'),
        node('Cos', 'angles', 'cosine'),
        node('Concat', 'sine cosine', 'places', { axis: -1 }),
        node('Add', 'x places', 'y'),
      ],
      opset: 13,
    };
    const inputs = [{ name: 'x', shape: [3, 6, 2], data: floats(3, 6, 2) }];
    const read = (bytes: Uint8Array): ReturnType<typeof readOnnx> =>
      readOnnx(bytes, { dims: { batch: 3 } });
    expect(await difference(engine, { graph, inputs }, read)).toBeLessThan(1e-6);
  });
});
