// JSON of audio plug-ins: RTNeural, AIDA-X, GuitarML, NAM and state dicts of PyTorch.
import { LARGE_JSON, changeJson, repeated } from '../mutations.mjs';

export const name = 'audio';
/** What is written is no part of the reader. */
export const sources = [/^src\/formats\/audio\/(?!write)/, /^src\/formats\/shared\/json\.ts/];
/** JSON may take more than 2.2 times its bytes. */
export const memoryLimit = 12;

const WORDS = [
  'lstm',
  'gru',
  'dense',
  'conv1d',
  'prelu',
  'batchnorm',
  'activation',
  'time-distributed-dense',
  'conv2d',
  'tanh',
  'relu',
  'sigmoid',
  'elu',
  'softmax',
  'linear',
  'LSTM',
  'GRU',
  'RNN',
  'WaveNet',
  'SimpleRNN',
  'in_skip',
  'in_gain',
  'out_gain',
  'samplerate',
  'metadata',
  'skip',
  'weights',
  'shape',
  'layers',
  'in_shape',
  'kernel_size',
  'dilation',
  'groups',
  'strides',
  'epsilon',
  'config',
  'architecture',
  'input_size',
  'hidden_size',
  'num_layers',
  'in_channels',
  'out_channels',
  'model_data',
  'state_dict',
  'unit_type',
  'output_size',
  'rec.weight_ih_l0',
  'lin.weight',
  'lstm.weight_ih_l0',
  'lstm.weight_ih_l1',
  'head.weight',
  'residual_channels',
  'weight',
  'bias',
];

const lists = (...[length, ...inner]) =>
  length === undefined ? 0.25 : Array.from({ length }, () => lists(...inner));
const state = (inputs, units, gates, layers, name) =>
  Object.fromEntries(
    Array.from({ length: layers }, (_, k) => [
      [`${name}.weight_ih_l${k}`, lists(gates * units, k ? units : inputs)],
      [`${name}.weight_hh_l${k}`, lists(gates * units, units)],
      [`${name}.bias_ih_l${k}`, lists(gates * units)],
      [`${name}.bias_hh_l${k}`, lists(gates * units)],
    ]).flat(),
  );
const layer = (type, width, weights, rest) => ({
  type,
  activation: '',
  shape: [null, null, width],
  weights,
  ...rest,
});
const guitarml = (unit_type, gates, input_size, num_layers) => ({
  model_data: {
    model: 'SimpleRNN',
    unit_type,
    input_size,
    num_layers,
    skip: 1,
    hidden_size: 3,
    output_size: 1,
    bias_fl: true,
  },
  state_dict: {
    ...state(input_size, 3, gates, num_layers, 'rec'),
    'lin.weight': lists(1, 3),
    'lin.bias': lists(1),
  },
});

const FILES = [
  {
    in_shape: [null, null, 1],
    in_skip: 1,
    in_gain: 6,
    out_gain: -3.5,
    metadata: { samplerate: '48000', name: 'an amplifier' },
    layers: [
      layer('lstm', 3, [lists(1, 12), lists(3, 12), lists(12)], { activation: 'tanh' }),
      layer('dense', 1, [lists(3, 1), lists(1)]),
    ],
    input_batch: lists(20),
  },
  {
    in_shape: [null, null, 2],
    in_skip: 1,
    in_gain: -2,
    layers: [
      layer('gru', 4, [lists(2, 12), lists(4, 12), lists(2, 12)]),
      layer('conv1d', 4, [lists(3, 2, 4), lists(4)], {
        kernel_size: [3],
        dilation: [2],
        groups: 2,
        activation: 'relu',
      }),
      layer('batchnorm', 4, [lists(4), lists(4), lists(4), lists(4)], { epsilon: 0.01 }),
      layer('prelu', 4, [lists(1, 4)]),
      layer('activation', 4, [], { activation: 'elu' }),
      layer('batchnorm', 4, [lists(4), lists(4)], { epsilon: 5 }),
      layer('prelu', 4, [lists(1, 1)]),
      layer('time-distributed-dense', 1, [lists(4, 1)], { activation: 'sigmoid' }),
    ],
  },
  {
    in_shape: [null, 20, 1],
    layers: [
      {
        ...layer('conv1d', 2, [lists(5, 1, 2), lists(2)], { kernel_size: 5, dilation: 2 }),
        shape: [null, 12, 2],
      },
    ],
  },
  guitarml('LSTM', 4, 1, 1),
  guitarml('GRU', 3, 2, 2),
  guitarml('RNN', 1, 1, 1),
  {
    version: '0.5.4',
    architecture: 'LSTM',
    config: { input_size: 1, hidden_size: 2, num_layers: 2, in_channels: 1, out_channels: 1 },
    metadata: { name: 'test', date: { year: 2024 }, loudness: -20.5, validation_esr: null },
    weights: lists(4 * 2 * 4 + 4 + 4 * 2 * 5 + 4 + 3),
    sample_rate: 48000,
  },
  {
    ...state(1, 3, 4, 2, 'lstm'),
    ...state(3, 2, 3, 1, 'gru'),
    'head.weight': lists(1, 2),
    'head.bias': lists(1),
  },
  { weight: lists(4, 1, 3), bias: lists(4) },
  { 'front.weight': lists(2, 1), 'front.bias': lists(2), ...state(2, 3, 3, 1, 'gru') },
];

const seedList = FILES.map((file) => new TextEncoder().encode(JSON.stringify(file)));
export const seeds = () => seedList;

export const mutate = (bytes, random) => changeJson(bytes, random, WORDS);

/** Bytes, and now and then their text, or the object of it. */
function sourceOf(bytes) {
  if (bytes.length > 1e6 || bytes.length % 8 > 1) return bytes;
  const text = new TextDecoder().decode(bytes);
  if (bytes.length % 8 === 0) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** With the wiring that an error proposes, as a user passes it on who confirms it. */
export function read({ GatefoldError, loadAudio }, engine, bytes) {
  const source = sourceOf(bytes);
  try {
    return loadAudio(engine, source);
  } catch (error) {
    const at = error instanceof GatefoldError ? error.message.indexOf('{"layers"') : -1;
    if (at < 0) throw error;
    return loadAudio(engine, source, { description: JSON.parse(error.message.slice(at)) });
  }
}

/** Reading alone, for measures of memory. */
export const inspect = ({ readAudio }, bytes) => readAudio(bytes);

/** Units of a NAM file of about 32 MB. */
const UNITS = 1100;
const COUNT = 4 * UNITS * (UNITS + 2) + 2 * UNITS + UNITS + 1;
const CONFIG = `{"input_size":1,"hidden_size":${UNITS},"num_layers":1}`;
const FRONT = `{"architecture":"LSTM","config":${CONFIG},"weights":[`;
const NUMBER = '0.2500,';
export const large = {
  ...LARGE_JSON,
  'weights of NAM': () =>
    repeated(NUMBER, FRONT, '0]}')(FRONT.length + NUMBER.length * (COUNT - 1) + 3),
};
