import { readFileSync, readdirSync } from 'node:fs';
import { strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { GatefoldError } from '../../src/base/errors.ts';
import { loadKeras, readKeras, type KerasOptions } from '../../src/formats/keras.ts';
import { Engine } from '../../src/hosts/default.ts';
import { createRandom } from '../support/random.ts';
import { writeHdf5, type Dataset, type Group } from '../support/hdf5.mjs';

const FOLDER = new URL('../fixtures/keras/', import.meta.url);
const files = readdirSync(FOLDER).filter((file) => /\.(?:h5|keras)$/.test(file));
const engine = await Engine.create();

interface Golden {
  readonly inputs: readonly { readonly shape: readonly number[]; readonly data: number[] }[];
  readonly outputs: readonly { readonly data: number[] }[];
}

const random = createRandom(3);
const floats = (...shape: number[]): Dataset => ({
  shape,
  data: Float32Array.from(
    random.vector(
      shape.reduce((a, b) => a * b, 1),
      0.9,
    ),
  ),
});
type Arrays = Record<string, Dataset>;

/** Puts arrays at paths such as `a/kernel:0`. */
function group(arrays: Arrays): Group {
  const root: Group = { members: {} };
  for (const [path, dataset] of Object.entries(arrays)) {
    const names = path.split('/');
    let at = root;
    for (const name of names.slice(0, -1)) at = ((at.members ??= {})[name] ??= {}) as Group;
    (at.members ??= {})[names.at(-1)!] = dataset;
  }
  return root;
}

function weightsOf(layers: Record<string, Arrays>): Group {
  const members = Object.entries(layers).map(([name, arrays]) => [
    name,
    { ...group(arrays), attributes: { weight_names: Object.keys(arrays) } },
  ]);
  return { attributes: { layer_names: Object.keys(layers) }, members: Object.fromEntries(members) };
}

/** A `.h5` file. */
function h5(config: object, layers: Record<string, Arrays>, version = '2.13.1'): Uint8Array {
  return writeHdf5({
    attributes: { keras_version: version, model_config: JSON.stringify(config) },
    members: { model_weights: weightsOf(layers) },
  });
}

const layer = (class_name: string, name: string, config: object = {}): object => ({
  class_name,
  config: { name, ...config },
});
const chain = (...layers: object[]): object => ({
  class_name: 'Sequential',
  config: { name: 's', layers },
});

const messageOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof GatefoldError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing';
};

/** Outputs for steps that count up. */
function run(
  bytes: Uint8Array,
  x: readonly number[],
  steps: number,
  options: KerasOptions = {},
): number[] {
  const model = loadKeras(engine, bytes, options);
  const { output } = model.forward(Float32Array.from(x), { steps });
  model.dispose();
  return [...output];
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe('models of Keras 3.15', () => {
  it.each(files)('%s gives the outputs of Keras', (file) => {
    const at = (name: string): URL => new URL(name, FOLDER);
    const golden = JSON.parse(readFileSync(at(file.replace(/\.\w+$/, '.json')), 'utf8')) as Golden;
    const { shape, data } = golden.inputs[0]!;
    const model = loadKeras(engine, new Uint8Array(readFileSync(at(file))));
    const size = { steps: shape[1]!, batch: shape[0]!, batchFirst: true };
    const { output } = model.forward(data, size);
    const want = golden.outputs[0]!.data;
    expect(output.length).toBe(want.length);
    output.forEach((value, k) => expect(Math.abs(value - want[k]!)).toBeLessThan(1e-5));
    expect(model.metadata).toMatchObject({ format: 'keras', version: '3.15.1' });
    model.dispose();
  });
});

describe('versions of Keras', () => {
  const rnn = (version: string): Uint8Array => {
    const config = { units: 1, batch_input_shape: [null, 3, 1], activation: 'hard_sigmoid' };
    const one = (...shape: number[]): Dataset => ({ shape, data: Float32Array.of(1) });
    const arrays = {
      kernel: one(1, 1),
      recurrent_kernel: one(1, 1),
      bias: { ...one(1), data: Float32Array.of(0) },
    };
    return h5(chain(layer('SimpleRNN', 'a', config)), { a: arrays }, version);
  };

  it('have a hard sigmoid of their own', () => {
    expect(run(rnn('2.13.1'), [1], 1)[0]).toBeCloseTo(0.7, 6);
    expect(run(rnn('3.4.0'), [1], 1)[0]).toBeCloseTo(1 / 6 + 0.5, 6);
  });

  it('Keras 1 has an array for each gate', () => {
    const gates = Object.fromEntries(
      [...'icfo'].flatMap((gate) => [
        [`a_W_${gate}`, floats(1, 2)],
        [`a_U_${gate}`, floats(2, 2)],
        [`a_b_${gate}`, floats(2)],
      ]),
    );
    const config = { output_dim: 2, input_dim: 1, inner_activation: 'sigmoid' };
    const bytes = h5(chain(layer('LSTM', 'a', config)), { a: gates }, '1.2.2');
    const at = (name: string, k: number): number => gates[`a_${name}`]!.data[k]!;
    let [h, c] = [
      [0, 0],
      [0, 0],
    ];
    for (const x of [0.5, -1, 2]) {
      const sum = (gate: string, u: number): number =>
        at(`b_${gate}`, u) +
        at(`W_${gate}`, u) * x +
        h[0]! * at(`U_${gate}`, u) +
        h[1]! * at(`U_${gate}`, 2 + u);
      const next = c.map(
        (cell, u) => sigmoid(sum('f', u)) * cell + sigmoid(sum('i', u)) * Math.tanh(sum('c', u)),
      );
      h = next.map((cell, u) => sigmoid(sum('o', u)) * Math.tanh(cell));
      c = next;
    }
    run(bytes, [0.5, -1, 2], 3).forEach((value, k) => expect(value).toBeCloseTo(h[k]!, 5));
  });

  it('names nothing in files that were never given an input shape', () => {
    const arrays = { 'b/kernel:0': floats(3, 2), 'b/bias:0': floats(2) };
    const read = readKeras(h5(chain(layer('Dense', 'b', { units: 2 })), { b: arrays }));
    expect(read.description).toEqual({
      layers: [{ type: 'linear', name: 'b', inFeatures: 3, outFeatures: 2 }],
      inputs: [{ name: 'input', size: 3, each: 'sequence' }],
    });
  });
});

describe('older files', () => {
  const input = { batch_input_shape: [null, 5, 3] };
  const x = [...random.vector(15, 1)];
  const close = (got: readonly number[], want: readonly number[]): void => {
    expect(got).toHaveLength(want.length);
    got.forEach((value, k) => expect(value).toBeCloseTo(want[k]!, 5));
  };

  it.each([
    ['LSTM', 4],
    ['GRU', 3],
  ])('CuDNN%s has its matrices as cuDNN does', (kind, gates) => {
    const [inputs, units] = [3, 2];
    const plain = {
      kernel: floats(inputs, gates * units),
      recurrent_kernel: floats(units, gates * units),
      bias: floats(2, gates * units),
    };
    // Of each gate [H, I], row by row, in the place of [I, H].
    const packed = ({ shape, data }: Dataset): Dataset => {
      const [rows, wide] = shape as [number, number];
      const out = new Float32Array(data.length);
      for (let gate = 0; gate < gates; gate++) {
        const elements: number[] = [];
        for (let h = 0; h < units; h++) {
          for (let i = 0; i < rows; i++)
            elements.push(data[i * wide + gate * units + h]! as number);
        }
        elements.forEach((value, at) => {
          out[Math.floor(at / units) * wide + gate * units + (at % units)] = value;
        });
      }
      return { shape, data: out };
    };
    const { kernel, recurrent_kernel, bias } = plain;
    const wide = gates * units;
    const sum = bias.data.slice(0, wide) as Float32Array;
    sum.forEach((value, k) => (sum[k] = value + (bias.data[wide + k] as number)));
    const one = kind === 'LSTM' ? { shape: [wide], data: sum } : bias;
    const cell = { units: 2, return_sequences: true, recurrent_activation: 'sigmoid' };
    const usual = { kernel, recurrent_kernel, bias: one };
    const other = {
      kernel: packed(kernel),
      recurrent_kernel: packed(recurrent_kernel),
      bias: { shape: [2 * wide], data: bias.data },
    };
    const want = h5(chain(layer(kind, 'a', { ...cell, ...input, reset_after: true })), {
      a: usual,
    });
    const cudnn = { units: 2, return_sequences: true, ...input };
    const file = h5(chain(layer(`CuDNN${kind}`, 'a', cudnn)), { a: other }, '2.2.4');
    close(run(file, x, 5), run(want, x, 5));
    // Keras loads arrays of one into the other.
    const mixed = h5(chain(layer(kind, 'a', { ...cell, ...input, reset_after: true })), {
      a: other,
    });
    close(run(mixed, x, 5), run(want, x, 5));
  });

  it('kernels of convolutions of Keras 1, and of Theano', () => {
    const [taps, inputs, outputs] = [2, 3, 4];
    const kernel = floats(taps, inputs, outputs);
    const bias = floats(outputs);
    const conv = layer('Conv1D', 'c', { filters: 4, kernel_size: [2], ...input });
    const want = run(h5(chain(conv), { c: { 'c/kernel:0': kernel, 'c/bias:0': bias } }), x, 5);
    const older = { nb_filter: 4, filter_length: 2, border_mode: 'valid', ...input };
    const old = (shape: number[], data: Dataset['data']): Uint8Array =>
      h5(
        chain(layer('Convolution1D', 'c', older)),
        { c: { c_W: { shape, data }, c_b: bias } },
        '1.1.1',
      );
    close(run(old([taps, 1, inputs, outputs], kernel.data), x, 5), want);
    const turned = new Float32Array(24);
    const flipped = new Float32Array(24);
    for (let k = 0; k < taps; k++) {
      for (let i = 0; i < inputs; i++) {
        for (let o = 0; o < outputs; o++) {
          const value = kernel.data[(k * inputs + i) * outputs + o] as number;
          turned[(o * inputs + i) * taps + k] = value;
          flipped[((taps - 1 - k) * inputs + i) * outputs + o] = value;
        }
      }
    }
    close(run(old([outputs, inputs, taps, 1], turned), x, 5), want);
    const arrays = { 'c/kernel:0': { shape: kernel.shape, data: flipped }, 'c/bias:0': bias };
    const weights = weightsOf({ c: arrays });
    const theano = writeHdf5({
      attributes: { keras_version: '2.1.6', model_config: JSON.stringify(chain(conv)) },
      members: {
        model_weights: { ...weights, attributes: { ...weights.attributes, backend: 'theano' } },
      },
    });
    close(run(theano, x, 5), want);
  });

  it('a Bidirectional of Keras 1', () => {
    const way = () => ({ W: floats(3, 8), U: floats(2, 8), b: floats(8) });
    const [forward, backward] = [way(), way()];
    const all = (prefix: string, { W, U, b }: typeof forward) => ({
      [`${prefix}_W`]: W,
      [`${prefix}_U`]: U,
      [`${prefix}_b`]: b,
    });
    const inner = { name: 'l', output_dim: 2, inner_activation: 'sigmoid', return_sequences: true };
    const wrap = (config: object): object =>
      layer('Bidirectional', 'b', { layer: { class_name: 'LSTM', config }, ...input });
    const old = h5(
      chain(wrap(inner)),
      { b: { ...all('forward_l', forward), ...all('backward_l', backward) } },
      '1.2.2',
    );
    const today = (prefix: string, { W, U, b }: typeof forward): Arrays => ({
      [`${prefix}/kernel:0`]: W,
      [`${prefix}/recurrent_kernel:0`]: U,
      [`${prefix}/bias:0`]: b,
    });
    const now = { name: 'l', units: 2, recurrent_activation: 'sigmoid', return_sequences: true };
    const both = { ...today('b/forward_l', forward), ...today('b/backward_l', backward) };
    close(run(old, x, 5), run(h5(chain(wrap(now)), { b: both }), x, 5));
  });
});

const LSTM = { kernel: floats(1, 8), recurrent_kernel: floats(2, 8), bias: floats(8) };
const DENSE = { kernel: floats(2, 1), bias: floats(1) };
const lstm = (more: object = {}): object =>
  layer('LSTM', 'a', { units: 2, batch_input_shape: [null, 3, 1], ...more });

describe('options', () => {
  const description = {
    layers: [
      { type: 'lstm', inputSize: 1, hiddenSize: 2, bias: 'single' },
      { type: 'pool', mode: 'last' },
      { type: 'linear', outFeatures: 1 },
    ],
  } as const;
  const whole = h5(chain(lstm(), layer('Dense', 'b', { units: 1 })), { a: LSTM, b: DENSE });
  const want = run(whole, [1, 2, 3], 3);

  it('description: the wiring of weights alone', () => {
    const old = writeHdf5(weightsOf({ a: LSTM, drop: {}, b: DENSE }));
    expect(messageOf(() => readKeras(old))).toMatch(/ERR_ARGUMENT.*"a", "b".*description/);
    expect(run(old, [1, 2, 3], 3, { description })).toEqual(want);
    const saved = writeHdf5(
      group({
        ...Object.fromEntries(
          Object.values(LSTM).map((array, k) => [`layers/lstm/cell/vars/${k}`, array]),
        ),
        ...Object.fromEntries(
          Object.values(DENSE).map((array, k) => [`layers/dense/vars/${k}`, array]),
        ),
      }),
    );
    expect(run(saved, [1, 2, 3], 3, { description })).toEqual(want);
  });

  it('description: proposed by the arrays, in the order of the file', () => {
    const proposalOf = (layers: Record<string, Arrays>, version: string): object => {
      const group = weightsOf(layers);
      const attributes = { ...group.attributes, keras_version: version };
      const message = messageOf(() => readKeras(writeHdf5({ ...group, attributes })));
      return JSON.parse(/: (\{"layers".*\})$/.exec(message)?.[1] ?? 'null') as object;
    };
    const wide = [floats(2, 8), floats(2, 8), floats(8)];
    const order = {
      embedding: { 'embedding/embeddings:0': floats(5, 3) },
      conv: { 'c/kernel:0': floats(2, 3, 1), 'c/bias:0': floats(1) },
      norm: Object.fromEntries([1, 2, 3, 4].map((k) => [`n/${k}`, floats(1)])),
      gru: { a: floats(1, 6), b: floats(2, 6), c: floats(2, 6) },
      old: { a: floats(2, 6), b: floats(2, 6), c: floats(6) },
      two: Object.fromEntries([...wide, ...wide].map((array, k) => [`w${k}`, array])),
      dense: { k: floats(4, 3), b: floats(3) },
      last: { k: floats(3, 1) },
    };
    expect(proposalOf(order, '2.4.0')).toEqual({
      layers: [
        { type: 'embedding', name: 'embedding', numEmbeddings: 5, embeddingDim: 3 },
        {
          type: 'conv1d',
          name: 'conv',
          inChannels: 3,
          outChannels: 1,
          kernelSize: 2,
          activation: 'relu',
        },
        { type: 'batchNorm', name: 'norm', inputSize: 1, eps: 1e-3 },
        { type: 'gru', name: 'gru', inputSize: 1, hiddenSize: 2 },
        {
          type: 'gru',
          name: 'old',
          inputSize: 2,
          hiddenSize: 2,
          bias: 'single',
          resetAfter: false,
        },
        {
          type: 'lstm',
          name: 'two',
          inputSize: 2,
          hiddenSize: 2,
          bias: 'single',
          bidirectional: true,
        },
        { type: 'pool', mode: 'last' },
        { type: 'linear', name: 'dense', inFeatures: 4, outFeatures: 3, activation: 'relu' },
        { type: 'linear', name: 'last', inFeatures: 3, outFeatures: 1, bias: false },
      ],
    });
    const plain = { a: LSTM, b: DENSE };
    const given = proposalOf(plain, '2.4.0') as typeof description;
    expect(run(writeHdf5(weightsOf(plain)), [1, 2, 3], 3, { description: given })).toEqual(want);
    expect(proposalOf(plain, '2.1.6')).toMatchObject({
      layers: [{ activations: ['hardSigmoid', 'tanh', 'tanh'] }, {}, {}],
    });
    const timed = { a: LSTM, time_distributed_1: DENSE };
    expect(proposalOf(timed, '2.4.0')).toMatchObject({
      layers: [{ type: 'lstm' }, { type: 'linear' }],
    });
    expect(proposalOf({ a: LSTM, b: { k: floats(7, 1) } }, '2.4.0')).toBeNull();
    const gates = (count: number): Arrays =>
      Object.fromEntries(
        Array.from({ length: 3 * count }, (_, k) => [
          `a_${'WUb'[k % 3]}_${k}`,
          k % 3 < 2 ? floats(2, 2) : floats(2),
        ]),
      );
    expect(proposalOf({ a: gates(4), b: gates(3) }, '')).toMatchObject({
      layers: [
        { type: 'lstm', inputSize: 2, activations: ['hardSigmoid', 'tanh', 'tanh'] },
        { type: 'gru', inputSize: 2, hiddenSize: 2, bias: 'single', resetAfter: false },
        { type: 'pool' },
      ],
    });
  });

  it('architecture: the same as Keras says it', () => {
    const weights = writeHdf5(weightsOf({ lstm_4: LSTM, drop: {}, dense_9: DENSE }));
    const dense = layer('Dense', 'dense', { units: 1 });
    const cell = layer('LSTM', 'lstm', { units: 2, batch_input_shape: [null, 3, 1] });
    const json = { ...chain(cell, dense), keras_version: '2.2.4-tf', backend: 'tensorflow' };
    const texts = [json, JSON.stringify(json), JSON.stringify(JSON.stringify(json))];
    for (const architecture of texts) {
      expect(run(weights, [1, 2, 3], 3, { architecture })).toEqual(want);
    }
    const arrays = [...Object.entries(LSTM).entries()].map(([k, [, array]]) => [
      `layers/lstm/cell/vars/${k}`,
      array,
    ]);
    const more = [...Object.values(DENSE).entries()].map(([k, array]) => [
      `layers/dense/vars/${k}`,
      array,
    ]);
    const newer = writeHdf5(group(Object.fromEntries([...arrays, ...more]) as Arrays));
    const architecture = { ...chain(cell, dense), module: 'keras' };
    expect(run(newer, [1, 2, 3], 3, { architecture })).toEqual(want);
    expect(messageOf(() => readKeras(weights, { architecture: {} }))).toMatch(/to_json/);
    const both = messageOf(() => readKeras(weights, { architecture: json, description }));
    expect(both).toMatch(/either a description or an architecture/);
  });

  it('layers: what only the author knows', () => {
    const own = h5(
      chain(
        layer('Mine>MyLSTM', 'a', { units: 2, batch_input_shape: [null, 3, 1] }),
        layer('Twice', 't'),
        layer('Dense', 'b', { units: 1, activation: 'halved' }),
      ),
      { a: LSTM, t: {}, b: DENSE },
    );
    const message = messageOf(() => readKeras(own));
    expect(message).toMatch(/ERR_UNSUPPORTED.*"MyLSTM".*"Twice".*"halved"/);
    const layers = {
      MyLSTM: 'LSTM',
      t: { type: 'scale', factor: 1 },
      halved: { type: 'activation', activation: { type: 'affine', alpha: 0.5 } },
    } as const;
    const got = run(own, [1, 2, 3], 3, { layers });
    expect(got[0]).toBeCloseTo(want[0]! / 2, 6);
  });
});

describe('what is refused', () => {
  it('is named, all of it at once', () => {
    const bytes = h5(
      chain(lstm({ activation: 'mish' }), layer('Lambda', 'l'), layer('ConvLSTM2D', 'c')),
      { a: LSTM },
    );
    expect(messageOf(() => readKeras(bytes))).toMatch(/"a".*"mish".*"l".*"Lambda".*"ConvLSTM2D"/);
  });

  it('arrays of another shape, with the layer and both shapes', () => {
    const bytes = h5(chain(lstm({ units: 3 })), { a: LSTM });
    expect(messageOf(() => readKeras(bytes))).toMatch(
      /ERR_FORMAT.*"kernel".*"a".*\[1, 8\].*\[1, 12\]/,
    );
  });

  it('files of other kinds', () => {
    expect(messageOf(() => readKeras(new Uint8Array(100)))).toMatch(/^ERR_FORMAT.*neither/);
    const zip = zipSync({ 'a.txt': strToU8('x') });
    expect(messageOf(() => readKeras(zip))).toMatch(/^ERR_FORMAT.*config.json/);
    expect(messageOf(() => readKeras('model.h5' as never))).toMatch(/^ERR_ARGUMENT/);
    const custom = h5({ class_name: 'MyModel', config: {} }, {});
    expect(messageOf(() => readKeras(custom))).toMatch(/ERR_UNSUPPORTED.*"MyModel"/);
  });
});

describe('graphs', () => {
  it('an encoder hands its states to a decoder with steps of its own', () => {
    const node = (...refs: [string, number][]): unknown => [
      refs.map(([name, k]) => [name, 0, k, {}]),
    ];
    const input = (name: string): object => ({
      ...layer('InputLayer', name, { batch_input_shape: [null, null, 1] }),
      name,
      inbound_nodes: [],
    });
    const config = {
      name: 'm',
      layers: [
        input('x'),
        input('y'),
        {
          ...layer('LSTM', 'e', { units: 2, return_state: true }),
          name: 'e',
          inbound_nodes: node(['x', 0]),
        },
        {
          ...layer('LSTM', 'd', { units: 2, return_sequences: true }),
          name: 'd',
          inbound_nodes: node(['y', 0], ['e', 1], ['e', 2]),
        },
      ],
      input_layers: [
        ['x', 0, 0],
        ['y', 0, 0],
      ],
      output_layers: [['d', 0, 0]],
    };
    const bytes = h5({ class_name: 'Functional', config }, { e: LSTM, d: LSTM });
    const model = loadKeras(engine, bytes);
    const [x, y] = [Float32Array.of(1, 2, 3), Float32Array.of(4, 5)];
    const { output } = model.forward({ x, y }, { steps: { x: 3, y: 2 } });
    // The same cell over all five steps.
    const all = run(h5(chain(lstm({ return_sequences: true })), { a: LSTM }), [1, 2, 3, 4, 5], 5);
    output.forEach((value, k) => expect(value).toBeCloseTo(all[6 + k]!, 6));
    model.dispose();
  });

  it('a chain of tokens whose input is a layer, as TensorFlow 2.3 and later say it', () => {
    const table = { 'e/embeddings:0': floats(7, 1) };
    const arrays = { e: table, a: LSTM };
    const first = { input_dim: 7, output_dim: 1 };
    const with_ = chain(
      layer('InputLayer', 'i', { batch_input_shape: [null, 3] }),
      layer('Embedding', 'e', { ...first, input_length: 3 }),
      layer('LSTM', 'a', { units: 2 }),
    );
    const without = chain(
      layer('Embedding', 'e', { ...first, batch_input_shape: [null, 3] }),
      layer('LSTM', 'a', { units: 2 }),
    );
    const [got, want] = [with_, without].map((config) => {
      const model = loadKeras(engine, h5(config, arrays));
      const { output } = model.forward(Int32Array.of(4, 0, 6), { steps: 3 });
      model.dispose();
      return output;
    });
    expect(got).toEqual(want);
  });

  it.each([
    ['Masking', { mask_value: -7 }],
    ['Dropout', { rate: 0.5 }],
    ['Activation', { activation: 'linear' }],
    ['MaxPooling1D', { pool_size: [1] }],
  ])('%s in front, which says no size', (class_name, config) => {
    const shape = { batch_input_shape: [null, null, 1] };
    const first = layer(class_name, 'f', { ...config, ...shape });
    const input = layer('InputLayer', 'i', shape);
    const arrays = { f: {}, a: LSTM };
    const want = run(h5(chain(lstm()), { a: LSTM }), [1, 3, 2], 3);
    for (const front of [[first], [input, first]]) {
      const plain = layer('LSTM', 'a', { units: 2 });
      expect(run(h5(chain(...front, plain), arrays), [1, 3, 2], 3)).toEqual(want);
    }
  });

  it('steps of several tensors one after another', () => {
    const entry = (
      class_name: string,
      name: string,
      config: object,
      ...reads: string[]
    ): object => ({
      ...layer(class_name, name, config),
      name,
      inbound_nodes: reads.length ? [reads.map((read) => [read, 0, 0, {}])] : [],
    });
    const graph = (axis: number): object => ({
      class_name: 'Functional',
      config: {
        name: 'm',
        layers: [
          entry('InputLayer', 'x', { batch_input_shape: [null, 3, 1] }),
          entry('MaxPooling1D', 'p', { pool_size: [2], strides: [1] }, 'x'),
          entry('Concatenate', 'c', { axis }, 'x', 'p'),
          entry('LSTM', 'a', { units: 2 }, 'c'),
        ],
        input_layers: [['x', 0, 0]],
        output_layers: [['a', 0, 0]],
      },
    });
    const five = chain(layer('LSTM', 'a', { units: 2, batch_input_shape: [null, 5, 1] }));
    const want = run(h5(five, { a: LSTM }), [1, 3, 2, 3, 3], 5);
    expect(run(h5(graph(1), { a: LSTM }), [1, 3, 2], 3)).toEqual(want);
    expect(run(h5(graph(-2), { a: LSTM }), [1, 3, 2], 3)).toEqual(want);
  });

  it('a layer that is used twice, and two outputs', () => {
    const ref = (name: string, use = 0): unknown => [name, use, 0, {}];
    const entry = (
      class_name: string,
      name: string,
      config: object,
      ...nodes: unknown[][]
    ): object => ({
      ...layer(class_name, name, config),
      name,
      inbound_nodes: nodes,
    });
    const config = {
      name: 'm',
      layers: [
        entry('InputLayer', 'x', { batch_input_shape: [null, 2] }),
        entry('Dense', 'd', { units: 2, use_bias: false }, [ref('x')], [ref('d', 0)]),
        entry('Add', 'sum', {}, [ref('d', 0), ref('d', 1)]),
      ],
      input_layers: [['x', 0, 0]],
      output_layers: [
        ['d', 1, 0],
        ['sum', 0, 0],
      ],
    };
    const kernel = { shape: [2, 2], data: Float32Array.of(0, 2, 3, 0) };
    const model = loadKeras(engine, h5({ class_name: 'Functional', config }, { d: { kernel } }));
    const { outputs } = model.forward(Float32Array.of(1, 10), { steps: 1 });
    // x K = [30, 2], and that times K again.
    expect(Object.values(outputs).map((out) => [...out])).toEqual([
      [6, 60],
      [36, 62],
    ]);
    model.dispose();
  });
});
