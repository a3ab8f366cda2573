import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAudio, readAudio, writeRtneural } from '../../src/formats/audio.ts';
import { loadModel, saveModel } from '../../src/formats/safetensors.ts';
import { Engine, GatefoldError, Model } from '../../src/hosts/default.ts';
import type { LayerSpec } from '../../src/hosts/default.ts';
import { createRandom } from '../support/random.ts';
import { evaluate } from './audio-formulas.ts';
import type { AudioFile as File } from './audio-formulas.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ simd: 'deterministic' });
});
afterAll(() => engine.dispose());

/** A layer of RTNeural: its type, units and weights, and what else it says. */
type Layer = readonly [type: string, units: number, weights: unknown[], rest?: object];

const random = createRandom(13);
/** Lists of numbers of a shape. */
function lists<T = number[]>(...shape: number[]): T {
  const [length, ...inner] = shape;
  if (length === undefined) return random.around(0.7) as T;
  return Array.from({ length }, () => lists<unknown>(...inner)) as T;
}
const positive = (length: number): number[] =>
  Array.from({ length }, () => 0.5 + Math.abs(random.around(1)));

const STEPS = 64;
function inputs(width: number): number[][] {
  return Array.from({ length: STEPS }, (_, t) =>
    Array.from({ length: width }, (_, k) => (k ? 0.3 * k : Math.sin(t / 3) * Math.cos(t / 17))),
  );
}

/** What plain float32 may cost: see FORMATS of the audio page. */
const TOLERANCE = 1e-5;

function worst(model: Model, file: File): number {
  const x = inputs(model.inputSize);
  const { output } = model.forward(Float32Array.from(x.flat()), { steps: STEPS });
  const wanted = evaluate(file, x);
  expect(output.length).toBe(wanted.length);
  expect(Math.max(...wanted.map(Math.abs))).toBeGreaterThan(1e-3);
  return Math.max(...wanted.map((value, k) => Math.abs(value - output[k]!)));
}

const rtneural = (width: number, layers: readonly Layer[], header: object = {}): File => ({
  in_shape: [null, null, width],
  ...header,
  layers: layers.map(([type, units, weights, rest]) => ({
    type,
    activation: '',
    shape: [null, null, units],
    weights,
    ...rest,
  })),
});

const dense = (inputs: number, units: number, activation = ''): Layer => [
  'dense',
  units,
  [lists(inputs, units), lists(units)],
  { activation },
];
const lstm = (inputs: number, units: number): Layer => [
  'lstm',
  units,
  [lists(inputs, 4 * units), lists(units, 4 * units), lists(4 * units)],
  { activation: 'tanh' },
];
const gru = (inputs: number, units: number): Layer => [
  'gru',
  units,
  [lists(inputs, 3 * units), lists(units, 3 * units), lists(2, 3 * units)],
  { activation: 'tanh' },
];
const conv1d = (inputs: number, units: number, kernel: number, dilation = 1, groups = 1): Layer => [
  'conv1d',
  units,
  [lists(kernel, inputs / groups, units), lists(units)],
  { activation: 'tanh', kernel_size: [kernel], dilation: [dilation], groups },
];

const state = (inputs: number, units: number, gates: number, layers: number, name: string): File =>
  Object.fromEntries(
    Array.from({ length: layers }, (_, k) => [
      [`${name}.weight_ih_l${k}`, lists(gates * units, k ? units : inputs)],
      [`${name}.weight_hh_l${k}`, lists(gates * units, units)],
      [`${name}.bias_ih_l${k}`, lists(gates * units)],
      [`${name}.bias_hh_l${k}`, lists(gates * units)],
    ]).flat(),
  );
const guitarml = (
  unit_type: string,
  gates: number,
  { input_size = 1, num_layers = 1, skip = 1, hidden_size = 6, output_size = 1 } = {},
): File => ({
  model_data: { model: 'SimpleRNN', unit_type, input_size, num_layers, skip, hidden_size },
  state_dict: {
    ...state(input_size, hidden_size, gates, num_layers, 'rec'),
    'lin.weight': lists(output_size, hidden_size),
    'lin.bias': lists(output_size),
  },
});
const nam = (inputs: number, hidden: number, layers: number, outputs = 1): File => {
  const layer = (width: number): number => 4 * hidden * (width + hidden + 1) + 2 * hidden;
  const count = layer(inputs) + (layers - 1) * layer(hidden) + outputs * (hidden + 1);
  const config = { input_size: inputs, hidden_size: hidden, num_layers: layers };
  return {
    version: '0.5.4',
    architecture: 'LSTM',
    config: outputs > 1 ? { ...config, in_channels: inputs, out_channels: outputs } : config,
    metadata: { name: 'a test', loudness: -20.5, date: { year: 2024 } },
    weights: lists(count),
    sample_rate: 48000,
  };
};

const FILES: Record<string, () => File> = {
  'LSTM and dense': () => rtneural(1, [lstm(1, 8), dense(8, 1)]),
  'GRU and two dense': () => rtneural(1, [gru(1, 8), dense(8, 5, 'sigmoid'), dense(5, 2)]),
  'all other layers': () =>
    rtneural(2, [
      dense(2, 8, 'relu'),
      conv1d(8, 4, 3),
      ['batchnorm', 4, [positive(4), lists(4), lists(4), positive(4)], { epsilon: 0.01 }],
      ['prelu', 4, [lists(1, 4)]],
      conv1d(4, 6, 3, 2, 2),
      ['batchnorm', 6, [lists(6), positive(6)], { epsilon: 5 }],
      ['prelu', 6, [[[0.4]]]],
      conv1d(6, 4, 1),
      ['activation', 4, [], { activation: 'elu' }],
      ['time-distributed-dense', 3, [lists(4, 3)], { activation: 'softmax' }],
    ]),
  'gains and a skip of AIDA-X': () =>
    rtneural(1, [lstm(1, 6), dense(6, 1)], { in_skip: 1, in_gain: 6, out_gain: -3.5 }),
  'a knob of AIDA-X': () => rtneural(2, [gru(2, 6), dense(6, 1)], { in_skip: 1, in_gain: -2 }),
  'LSTM of GuitarML': () => guitarml('LSTM', 4),
  'GRU of GuitarML with a knob': () => guitarml('GRU', 3, { input_size: 2, num_layers: 2 }),
  'RNN of GuitarML without a skip': () => guitarml('RNN', 1, { skip: 0, output_size: 2 }),
  'state dict of PyTorch': () => ({
    ...state(1, 6, 3, 1, 'gru'),
    ...state(6, 5, 4, 3, 'lstm'),
    'head.weight': lists(1, 5),
    'head.bias': lists(1),
  }),
  'state dict without a head': () => state(2, 6, 4, 2, 'rnn'),
  'NAM of one layer': () => nam(1, 7, 1),
  'NAM of three layers, two channels': () => nam(2, 5, 3, 2),
};

describe.each(Object.entries(FILES))('%s', (_, make) => {
  it('gives what its formulas say, and streams', () => {
    const file = make();
    const model = loadAudio(engine, JSON.stringify(file));
    expect(worst(model, file)).toBeLessThan(TOLERANCE);
    expect(model.metadata.latency).toBe(0);
    const x = Float32Array.from(inputs(model.inputSize).flat());
    const out = new Float32Array(STEPS * model.outputSize);
    model.stream().run(x, out, STEPS);
    const { output } = model.forward(x, { steps: STEPS });
    expect(Math.max(...output.map((value, k) => Math.abs(value - out[k]!)))).toBeLessThan(1e-6);
    const saved = loadModel(engine, saveModel(model));
    expect(saved.metadata).toEqual(model.metadata);
    expect(saved.forward(x, { steps: STEPS }).output).toEqual(output);
    model.dispose();
    saved.dispose();
  });
});

describe('what a file says', () => {
  it('is the sample rate, of all kinds, also as a text', () => {
    const rate = (file: File): unknown => readAudio(file).metadata.sampleRate;
    expect(rate(nam(1, 2, 1))).toBe(48000);
    const plain = rtneural(1, [dense(1, 1)]);
    expect(rate({ ...plain, samplerate: '44100' })).toBe(44100);
    expect(rate({ ...plain, metadata: { samplerate: 96000 } })).toBe(96000);
    expect(rate(plain)).toBeUndefined();
    const file = guitarml('LSTM', 4);
    expect(rate({ ...file, model_data: { ...file.model_data, samplerate: 44100 } })).toBe(44100);
  });

  it('comes as bytes, text or object', () => {
    const file = nam(1, 3, 1);
    const text = JSON.stringify(file);
    const bytes = new TextEncoder().encode(text);
    const read = readAudio(text);
    for (const source of [bytes, bytes.buffer, file]) expect(readAudio(source)).toEqual(read);
    expect(read.metadata.file).toMatchObject({ metadata: { date: { year: 2024 } } });
  });

  it('is kept in bounds', () => {
    const file = nam(1, 2, 1);
    const { file: kept } = readAudio({
      ...file,
      metadata: { deep: [[[[[[[1]]]]]]], long: 'x'.repeat(5000), list: lists(3000) },
      ['__proto__']: { a: 1 },
    }).metadata as { file: { metadata: Record<string, unknown> } };
    expect(kept.metadata).toEqual({ long: 'x'.repeat(1024) });
  });

  it('may leave out the wiring, which a description then says', () => {
    const file = { weight: lists(4, 1, 3), bias: lists(4) };
    expect(() => readAudio(file)).toThrow(/pass \{ description \}, such as .*"type":"conv1d"/);
    const layers: LayerSpec[] = [
      { type: 'conv1d', inChannels: 1, outChannels: 4, kernelSize: 3, padding: [0, 0] },
    ];
    const model = loadAudio(engine, file, { description: { layers } });
    expect([...model.stateDict().keys()]).toEqual(['conv1d.weight', 'conv1d.bias']);
    const wrong: LayerSpec[] = [{ type: 'linear', inFeatures: 1, outFeatures: 4 }];
    const read = (): unknown => readAudio(file, { description: { layers: wrong } });
    expect(read).toThrow('"linear.weight" expected the shape [4, 1], got [4, 1, 3]');
  });

  it('may hold convolutions that make fewer steps', () => {
    const [type, , weights, rest] = conv1d(1, 2, 5, 2);
    const layer = { type, weights, ...rest, shape: [null, 12, 2] };
    const model = loadAudio(engine, { in_shape: [null, 20, 1], layers: [layer] });
    expect(model.description.layers[0]).toMatchObject({ padding: 'valid' });
    const stride = { ...layer, shape: [null, 10, 2] };
    expect(() => readAudio({ in_shape: [null, 20, 1], layers: [stride] })).toThrow(/no stride/);
  });
});

describe('RTNeural files of ours', () => {
  it.each([
    'LSTM and dense',
    'GRU and two dense',
    'all other layers',
    'gains and a skip of AIDA-X',
    'a knob of AIDA-X',
    'LSTM of GuitarML',
    'state dict of PyTorch',
  ])('carry %s', (name) => {
    const given = FILES[name]!();
    const model = loadAudio(engine, { ...given, samplerate: 48000 });
    const bytes = writeRtneural(model);
    const file = JSON.parse(new TextDecoder().decode(bytes)) as File;
    expect(worst(model, file)).toBeLessThan(TOLERANCE);
    const again = loadAudio(engine, bytes);
    expect(worst(again, given)).toBeLessThan(TOLERANCE);
    if (given.layers) expect(again.metadata.sampleRate).toBe(48000);
    model.dispose();
    again.dispose();
  });

  it('carry weights to the last bit', () => {
    const layers: LayerSpec[] = [
      { type: 'lstm', inputSize: 3, hiddenSize: 5, bias: 'single' },
      { type: 'dropout', rate: 0.5 },
      { type: 'linear', outFeatures: 2 },
    ];
    const model = Model.create(engine, { layers }, { seed: 3 });
    const again = loadAudio(engine, writeRtneural(model));
    expect(again.stateDict()).toEqual(model.stateDict());
  });

  const refusal = (layers: LayerSpec[]): string => {
    try {
      writeRtneural(Model.create(engine, { layers }));
      return 'nothing';
    } catch (error) {
      if (!(error instanceof GatefoldError)) throw error;
      return `${error.code}: ${error.message}`;
    }
  };

  it('say by name, and all at once, what they cannot carry', () => {
    const all = refusal([
      { type: 'lstm', inputSize: 1, hiddenSize: 4, bidirectional: true },
      { type: 'lstm', hiddenSize: 4, peephole: 'diagonal', zoneout: 0.1 },
      { type: 'gru', hiddenSize: 4, resetAfter: false },
      { type: 'rnn', hiddenSize: 4 },
      { type: 'linear', outFeatures: 4, activation: 'gelu' },
      { type: 'conv1d', outChannels: 4, kernelSize: 3, padding: 'same' },
      { type: 'pool', mode: 'last' },
    ]);
    for (const part of [
      /^ERR_UNSUPPORTED: RTNeural's JSON cannot carry this model/,
      /"lstm" \(lstm\) has "bidirectional": true/,
      /"lstm2" \(lstm\) has "peephole": "diagonal"/,
      /"lstm2" \(lstm\) has "zoneout": 0.1/,
      /"gru" \(gru\) has "resetAfter": false/,
      /"rnn" \(rnn\): RTNeural has no such layer/,
      /"linear" \(linear\) has the activation "gelu"/,
      /"conv1d" \(conv1d\) has "padding": "same"/,
      /"pool" \(pool\): RTNeural has no such layer/,
    ]) {
      expect(all).toMatch(part);
    }
    const graph = refusal([
      { type: 'gru', name: 'a', inputSize: 2, hiddenSize: 4 },
      { type: 'gru', name: 'b', inputs: ['input'], hiddenSize: 4 },
      { type: 'add', inputs: ['a', 'b'] },
    ]);
    expect(graph).toMatch(/"b" \(gru\) has .* to read: RTNeural's layers are a chain/);
    expect(graph).toMatch(/"add" \(add\) has another sum than outputs and inputs/);
  });
});

describe('refusals', () => {
  const plain = (): File => rtneural(1, [lstm(1, 4), dense(4, 1)]);
  const withLayer = (k: number, change: object): File => {
    const file = plain();
    Object.assign(file.layers![k], change);
    return file;
  };

  it.each<[string, unknown, RegExp]>([
    ['no JSON', 'amplifier', /ERR_FORMAT: not an audio model to trust: it is not valid JSON/],
    ['JSON of something else', { a: 1 }, /ERR_FORMAT.*neither of RTNeural/],
    ['a list', [1, 2], /ERR_FORMAT.*no JSON object/],
    ['a number', 5, /ERR_ARGUMENT: "source" expected bytes, a text/],
    ['a key twice', '{"layers":[],"layers":[],"in_shape":[1]}', /ERR_FORMAT.*the same thing twice/],
    ['deep lists', '['.repeat(100_000), /ERR_FORMAT.*nests too deep/],
    ['many values', `[${'{},'.repeat(100_000)}{}]`, /ERR_MEMORY.*too many values/],
    [
      'layers of other kinds',
      rtneural(1, [['conv2d', 1, []], dense(1, 1), ['dropout', 1, []]]),
      /ERR_UNSUPPORTED.*no layer 1 \(conv2d\), layer 3 \(dropout\)/,
    ],
    ['another activation', withLayer(1, { activation: 'gelu' }), /layer 2 \(dense\).*"gelu"/],
    [
      'a cell of relu',
      withLayer(0, { activation: 'relu' }),
      /layer 1 \(lstm\).*where RTNeural has/,
    ],
    [
      'weights of another width',
      withLayer(1, { weights: [lists(5, 1), [0]] }),
      /layer 2 \(dense\): it has weights for 5 inputs where there are 4/,
    ],
    [
      'a shape of another width',
      withLayer(0, { shape: [null, null, 16] }),
      /layer 1 \(lstm\) has the width 4, and its "shape" says 16/,
    ],
    ['a missing bias', withLayer(0, { weights: [lists(1, 16)] }), /layer 1 \(lstm\) has 1 arrays/],
    [
      'a text among weights',
      withLayer(1, { weights: [[['a']], [0]] }),
      /weights\[0\] of layer 2 \(dense\) is no list of numbers/,
    ],
    [
      'ragged weights',
      withLayer(1, { weights: [[[1], [1, 2], [1], [1]], [0]] }),
      /no list of numb/,
    ],
    [
      'numbers that float32 has not',
      withLayer(1, { weights: [[[1e39], [1], [1], [1]], [0]] }),
      /not finite/,
    ],
    ['no layers', rtneural(1, []), /ERR_FORMAT.*no layers/],
    ['no size', { ...plain(), in_shape: [] }, /"in_shape" has no size/],
    [
      'an immense size',
      { ...rtneural(1, [['activation', 0, []]]), in_shape: [null, null, 1e9] },
      /ERR_UNSUPPORTED.*1000000000 inputs/,
    ],
    ['a skip of two', { ...plain(), in_skip: 2 }, /ERR_UNSUPPORTED.*"in_skip" is 2/],
    [
      'a WaveNet',
      { ...nam(1, 2, 1), architecture: 'WaveNet' },
      /ERR_UNSUPPORTED.*"WaveNet" of NAM/,
    ],
    [
      'a container',
      { ...nam(1, 2, 1), architecture: 'SlimmableContainer' },
      /"SlimmableContainer"/,
    ],
    [
      'too few weights',
      { ...nam(1, 3, 1), weights: lists(69) },
      /ERR_FORMAT.*says 70 weights, and it has 69/,
    ],
    [
      'an immense LSTM',
      { ...nam(1, 3, 1), config: { input_size: 1, hidden_size: 2 ** 40, num_layers: 1 } },
      /ERR_FORMAT.*weights, and it has 70/,
    ],
    [
      'other channels',
      { ...nam(2, 3, 1), config: { ...nam(2, 3, 1).config, in_channels: 1 } },
      /it has 1 channels of inputs, and its LSTM 2/,
    ],
    ['a unit of another kind', guitarml('QRNN', 4), /ERR_UNSUPPORTED.*"QRNN"/],
    [
      'a unit that the weights are not',
      guitarml('GRU', 4),
      /its unit_type is "GRU", and its weights/,
    ],
    [
      'a size that the weights have not',
      guitarml('LSTM', 4, { hidden_size: 6 }) &&
        (() => {
          const file = guitarml('LSTM', 4);
          file.model_data!.hidden_size = 40;
          return file;
        })(),
      /its hidden_size is 40, and its weights have 6/,
    ],
    ['another network', { ...guitarml('LSTM', 4), model_data: { model: 'RecNet' } }, /"RecNet"/],
    ['a WaveNet of PedalNetRT', { residual_channels: 16 }, /ERR_UNSUPPORTED.*PedalNetRT/],
  ])('of %s', (_, source, message) => {
    let said = 'nothing';
    try {
      readAudio(source as never);
    } catch (error) {
      if (!(error instanceof GatefoldError)) throw error;
      said = `${error.code}: ${error.message}`;
    }
    expect(said).toMatch(message);
  });
});
