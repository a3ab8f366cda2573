// Layers models of TensorFlow.js. An input is both files: the length of model.json in four bytes,
// model.json, weights.
import { LARGE_JSON, changeBytes, changeJson, integer, joined, put } from '../mutations.mjs';
import { WORDS } from '../keras-words.mjs';

export const name = 'tfjs';
/** Configurations are those of Keras, which has a module of its own. */
export const sources = [/^src\/formats\/tfjs\/read/];
/** JSON may take more than 2.2 times its bytes. */
export const memoryLimit = 12;

const SHARDS = ['a.bin', 'b.bin'];

function inputOf(json, weights) {
  const text = new TextEncoder().encode(typeof json === 'string' ? json : JSON.stringify(json));
  const head = new Uint8Array(4);
  put(head, 0, text.length, 4);
  return joined(head, text, weights);
}

const bytesOf = (length) => Uint8Array.from({ length }, (_, k) => (37 * k) & 0x3f);

function modelOf(model, weights, dtype = {}) {
  const specs = Object.entries(weights).map(([path, shape]) => ({
    name: path,
    shape,
    dtype: 'float32',
    ...dtype,
  }));
  const count = Object.values(weights)
    .map((shape) => shape.reduce((a, b) => a * b, 1))
    .reduce((a, b) => a + b, 0);
  const size = { uint8: 1, uint16: 2, float16: 2 }[dtype.quantization?.dtype] ?? 4;
  const modelTopology = { keras_version: 'tfjs-layers 4.22.0', backend: 'x', ...model };
  const weightsManifest = [{ paths: SHARDS, weights: specs }];
  return inputOf({ format: 'layers-model', modelTopology, weightsManifest }, bytesOf(count * size));
}

const chain = (...layers) => ({ class_name: 'Sequential', config: { name: 's', layers } });
const layer = (class_name, name_, config) => ({ class_name, config: { name: name_, ...config } });
const lstm = layer('LSTM', 'a', { units: 2, batch_input_shape: [null, null, 1] });
const dense = layer('Dense', 'b', { units: 1, activation: 'sigmoid' });
const arrays = {
  'a/kernel': [1, 8],
  'a/recurrent_kernel': [2, 8],
  'a/bias': [8],
  'b/kernel': [2, 1],
  'b/bias': [1],
};
const quantised = (dtype) => ({ quantization: { dtype, scale: 0.01, min: -0.3 } });
const node = (...names) => [names.map((each) => [each, 0, 0, {}])];
const graph = {
  class_name: 'Model',
  config: {
    name: 'm',
    layers: [
      {
        name: 'x',
        class_name: 'InputLayer',
        config: { batch_input_shape: [null, 4, 1] },
        inbound_nodes: [],
      },
      {
        ...layer('Bidirectional', 'both', {
          layer: layer('GRU', 'g', { units: 2, reset_after: false, return_sequences: true }),
          merge_mode: 'concat',
        }),
        name: 'both',
        inbound_nodes: node('x'),
      },
      {
        ...layer('Dense', 'd', { units: 4, use_bias: false }),
        name: 'd',
        inbound_nodes: node('x'),
      },
      { ...layer('Add', 'sum', {}), name: 'sum', inbound_nodes: node('both', 'd') },
      { ...layer('Flatten', 'f', {}), name: 'f', inbound_nodes: node('sum') },
    ],
    input_layers: [['x', 0, 0]],
    output_layers: [
      ['f', 0, 0],
      ['sum', 0, 0],
    ],
  },
};
const ways = ['forward_g', 'backward_g'].flatMap((way) => [
  [`both/${way}/kernel`, [1, 6]],
  [`both/${way}/recurrent_kernel`, [2, 6]],
  [`both/${way}/bias`, [6]],
]);

const all = [
  modelOf(chain(lstm, dense), arrays),
  modelOf({ model_config: chain(lstm, dense) }, arrays, quantised('uint8')),
  modelOf(chain(lstm, dense), arrays, quantised('uint16')),
  modelOf(chain(lstm, dense), arrays, { quantization: { dtype: 'float16' } }),
  modelOf(graph, { ...Object.fromEntries(ways), 'd/kernel': [1, 4] }),
];
export const seeds = () => all;

function partsOf(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return { json: bytes.subarray(4, 4 + length), weights: bytes.subarray(4 + length) };
}

export function mutate(bytes, random) {
  const { json, weights } = partsOf(bytes);
  const kind = integer(random, 0, 9);
  if (kind === 0)
    return inputOf(new TextDecoder().decode(json), changeBytes(weights.slice(), random));
  const changed = changeJson(json.slice(), random, WORDS);
  const head = new Uint8Array(4);
  put(head, 0, changed.length, 4);
  return joined(head, changed, weights);
}

export function read({ loadTfjs, writeTfjs }, engine, bytes) {
  if (bytes.length < 4) return undefined;
  const { json, weights } = partsOf(bytes);
  const at = weights.length >> 1;
  const shards = { 'a.bin': weights.subarray(0, at), 'b.bin': weights.subarray(at) };
  const model = loadTfjs(engine, json, shards);
  try {
    writeTfjs(model);
  } catch (error) {
    if (error?.code !== 'ERR_UNSUPPORTED') throw error;
  }
  return model;
}

/** Reading alone, for measures of memory. */
export const inspect = ({ readTfjs }, bytes) => {
  const { json, weights } = partsOf(bytes);
  readTfjs(json, { 'a.bin': weights, 'b.bin': new Uint8Array() });
};

export const large = Object.fromEntries([
  ...Object.entries(LARGE_JSON).map(([kind, make]) => [
    kind,
    (size) => inputOf(new TextDecoder().decode(make(size)), new Uint8Array()),
  ]),
  [
    'one layer',
    (size) => {
      const width = Math.floor(Math.sqrt(size / 4)) - 1;
      const one = layer('Dense', 'b', {
        units: width,
        use_bias: false,
        batch_input_shape: [null, width],
      });
      return modelOf(chain(one), { 'b/kernel': [width, width] });
    },
  ],
]);
