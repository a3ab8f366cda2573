// `.h5` and `.keras` files of Keras: HDF5 with JSON in it, zip with both.
import { readFileSync, readdirSync } from 'node:fs';
import { unzipSync, zipSync } from 'fflate';
import { writeHdf5 } from '../../support/hdf5.mjs';
import { ODD, changeBytes, changeJson, integer, pick, put } from '../mutations.mjs';
import { WORDS } from '../keras-words.mjs';

export const name = 'keras';
export const sources = [/^src\/formats\/keras\//, /^src\/formats\/shared\/hdf5\.ts/];

const FIXTURES = new URL('../../fixtures/keras/', import.meta.url);
const fixtures = readdirSync(FIXTURES)
  .filter((file) => /\.(?:h5|keras)$/.test(file))
  .map((file) => new Uint8Array(readFileSync(new URL(file, FIXTURES))));

const floats = (...shape) => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.25),
});

/** A `.h5` file as older versions write it. */
const legacy = (layers, weights, version) =>
  writeHdf5({
    attributes: {
      keras_version: version,
      backend: 'tensorflow',
      model_config: JSON.stringify({ class_name: 'Sequential', config: { name: 's', layers } }),
    },
    members: {
      model_weights: {
        attributes: { layer_names: { fixed: Object.keys(weights) } },
        members: Object.fromEntries(
          Object.entries(weights).map(([layer, arrays]) => [
            layer,
            { attributes: { weight_names: Object.keys(arrays) }, members: arrays },
          ]),
        ),
      },
    },
  });

const gates = (inputs, units, letters) =>
  Object.fromEntries(
    [...letters].flatMap((gate) => [
      [`a_W_${gate}`, floats(inputs, units)],
      [`a_U_${gate}`, floats(units, units)],
      [`a_b_${gate}`, floats(units)],
    ]),
  );
const first = [
  legacy(
    [
      {
        class_name: 'LSTM',
        config: { name: 'a', output_dim: 2, input_dim: 1, inner_activation: 'hard_sigmoid' },
      },
      { class_name: 'Dropout', config: { name: 'b', p: 0.5 } },
      { class_name: 'Dense', config: { name: 'c', output_dim: 1, activation: 'sigmoid' } },
    ],
    { a: gates(1, 2, 'icfo'), b: {}, c: { c_W: floats(2, 1), c_b: floats(1) } },
    '1.2.2',
  ),
  legacy(
    [
      {
        class_name: 'GRU',
        config: {
          name: 'a',
          units: 2,
          batch_input_shape: [null, 4, 1],
          go_backwards: true,
          reset_after: true,
        },
      },
    ],
    { a: { kernel: floats(1, 6), recurrent_kernel: floats(2, 6), bias: floats(2, 6) } },
    '2.3.0-tf',
  ),
  legacy(
    [
      { class_name: 'Bogus', config: { name: 'o', batch_input_shape: [null, 4, 2] } },
      { class_name: 'Normalization', config: { name: 'n' } },
      { class_name: 'AveragePooling1D', config: { name: 'p', pool_size: [2] } },
      {
        class_name: 'Conv1DTranspose',
        config: { name: 't', filters: 2, kernel_size: [1], strides: [2] },
      },
      { class_name: 'ThresholdedReLU', config: { name: 'r', theta: 0.5 } },
      { class_name: 'Permute', config: { name: 'q', dims: [1, 2] } },
      { class_name: 'Lambda', config: { name: 'l' } },
      { class_name: 'Dense', config: { name: 'd', units: 1 } },
    ],
    {
      n: { mean: floats(2), variance: floats(2) },
      t: { kernel: floats(1, 2, 2), bias: floats(2) },
      d: { kernel: floats(2, 1), bias: floats(1) },
    },
    '2.13.1',
  ),
];

export const seeds = () => [...first, ...fixtures];

const decoder = new TextDecoder('latin1');

/** Another number where a field of HDF5 may be: addresses, lengths, sizes, counts. */
function changeField(bytes, random) {
  const signature = pick(random, ['TREE', 'SNOD', 'HEAP', 'GCOL', '\u0001\0', '\x89HDF']);
  const places = [];
  const text = decoder.decode(bytes);
  for (let at = text.indexOf(signature); at >= 0; at = text.indexOf(signature, at + 1)) {
    places.push(at);
    if (places.length > 200) break;
  }
  const at = places.length ? pick(random, places) : 0;
  const field = Math.min(at + integer(random, 4, 90), bytes.length - 9);
  const value =
    random() < 0.5
      ? pick(
          random,
          ODD.filter((number) => number >= 0),
        )
      : pick(random, [at, 96, bytes.length, bytes.length - 8]);
  put(bytes, Math.max(field, 0), value, pick(random, [1, 2, 4, 8]));
  return bytes;
}

/** Another configuration in its place: of the same length, padded or cut. */
function changeConfig(bytes, random) {
  const text = decoder.decode(bytes);
  const start = text.indexOf('{"');
  if (start < 0) return changeField(bytes, random);
  // What follows a text in the heap is padding.
  const end = text.indexOf('\0', start);
  const own = bytes.slice(start, end < 0 ? bytes.length : end);
  const changed = changeJson(own, random, WORDS);
  const fitted = new Uint8Array(own.length).fill(0x20);
  if (changed.length > own.length) return changeField(bytes, random);
  fitted.set(changed);
  bytes.set(fitted, start);
  return bytes;
}

export function mutate(bytes, random) {
  if (bytes[0] === 0x50 && random() < 0.85) {
    let files;
    try {
      files = unzipSync(bytes);
    } catch {
      return changeBytes(bytes, random);
    }
    const file = pick(random, Object.keys(files));
    const own = files[file].slice();
    files[file] = file.endsWith('.json') ? changeJson(own, random, WORDS) : changeHdf5(own, random);
    return zipSync(files, { level: random() < 0.1 ? 6 : 0 });
  }
  return changeHdf5(bytes, random);
}

function changeHdf5(bytes, random) {
  const kind = random();
  if (kind < 0.45) return changeConfig(bytes, random);
  if (kind < 0.65) return changeField(bytes, random);
  if (kind < 0.75) {
    // Elements: harmless.
    bytes[bytes.length - 1 - integer(random, 0, Math.min(400, bytes.length - 1))] ^= 0x11;
    return bytes;
  }
  return changeBytes(bytes, random);
}

const DESCRIPTION = {
  layers: [
    { type: 'lstm', inputSize: 1, hiddenSize: 2, bias: 'single' },
    { type: 'pool', mode: 'last' },
    { type: 'linear', outFeatures: 1 },
  ],
};

const LAYERS = { Bogus: { type: 'scale', factor: 2 }, Lambda: { type: 'pool', mode: 'max' } };

export function read({ loadKeras }, engine, bytes) {
  const options = bytes.length % 7 === 0 ? { description: DESCRIPTION } : { layers: LAYERS };
  return loadKeras(engine, bytes, options);
}

/** Reading alone, for measures of memory. */
export const inspect = ({ readKeras }, bytes) => void readKeras(bytes);

export const large = {
  'one layer': (size) => {
    const width = Math.floor(Math.sqrt(size / 4)) - 1;
    return legacy(
      [
        {
          class_name: 'Dense',
          config: { name: 'a', units: width, batch_input_shape: [null, width], use_bias: false },
        },
      ],
      { a: { kernel: floats(width, width) } },
      '2.3.1',
    );
  },
  nothing: (size) => new Uint8Array(size),
};
