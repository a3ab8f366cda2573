// Our own files: a length, a JSON header, tensors back to back; the description in the metadata.
import { changeBytes, changeJson, integer, joined, pick, put } from '../mutations.mjs';

export const name = 'safetensors';
export const sources = [
  /^src\/formats\/safetensors\/(read|dtypes)\.ts/,
  /^src\/formats\/shared\/json-scan\.ts/,
];

const WORDS = [
  'F32',
  'F16',
  'BF16',
  'F64',
  'I8',
  'I64',
  'BOOL',
  'F4',
  'dtype',
  'shape',
  'data_offsets',
  '__metadata__',
  'gatefold.model',
  'gatefold.format',
  'gatefold.metadata',
  '1',
  '2',
  'lstm',
  'gru',
  'linear.weight',
  'lstm.weight_ih_l0',
  'x',
];
const MODELS = [
  [
    { type: 'lstm', inputSize: 2, hiddenSize: 3 },
    { type: 'linear', outFeatures: 2 },
  ],
  [
    { type: 'embedding', numEmbeddings: 5, embeddingDim: 2 },
    { type: 'gru', hiddenSize: 3, bidirectional: true },
    { type: 'pool', mode: 'last' },
    { type: 'linear', outFeatures: 2, activation: 'softmax' },
  ],
  [
    { type: 'conv1d', inChannels: 1, outChannels: 2, kernelSize: 2, padding: 'causal' },
    { type: 'batchNorm' },
    { type: 'rnn', hiddenSize: 2 },
  ],
];

/** Types of the same size, of which the second is not read. */
const SAME = [
  ['F64', 'I64'],
  ['F32', 'I32'],
  ['F16', 'U16'],
  ['I8', 'BOOL'],
];

/** The same tensors in halves, which every reader widens. */
function halved(bytes) {
  const { header, data } = parts(bytes);
  const value = JSON.parse(new TextDecoder().decode(header));
  let end = 0;
  const pieces = [];
  for (const [key, tensor] of Object.entries(value)) {
    if (key === '__metadata__') continue;
    const own = data.subarray(...tensor.data_offsets);
    const size = { F64: 8, F16: 2, BF16: 2 }[WIDE[pieces.length % WIDE.length]];
    const piece = new Uint8Array((own.length / 4) * size);
    tensor.dtype = WIDE[pieces.length % WIDE.length];
    tensor.data_offsets = [end, (end += piece.length)];
    pieces.push(piece);
  }
  return whole(new TextEncoder().encode(JSON.stringify(value)), joined(...pieces));
}
const WIDE = ['F64', 'F16', 'BF16'];

let made;
export function seeds(gatefold) {
  if (made || !gatefold) return made ?? [];
  const { Engine, Model, formats } = gatefold;
  const engine = Engine.createSync?.() ?? gatefold.fuzzEngine;
  const { saveModel } = formats.safetensors;
  made = MODELS.map((layers) => {
    const model = Model.create(engine, { layers }, { metadata: { sampleRate: 48000 } });
    return saveModel(model, { note: 'a seed' });
  });
  const quantized = Model.create(engine, { layers: MODELS[0] }).quantize();
  made.push(saveModel(quantized), halved(made[0]));
  return made;
}

const lengthOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
const parts = (bytes) => ({
  header: bytes.subarray(8, 8 + lengthOf(bytes)),
  data: bytes.subarray(8 + lengthOf(bytes)),
});

function whole(header, data) {
  const length = new Uint8Array(8);
  put(length, 0, header.length, 4);
  return joined(length, header, data);
}

export function mutate(bytes, random) {
  const { header, data } = parts(bytes);
  const kind = integer(random, 0, 6);
  if (kind === 0) return changeBytes(bytes, random);
  if (kind === 1) {
    put(bytes, integer(random, 0, 7), pick(random, [0, 1, 255, 2 ** 31]), pick(random, [2, 4]));
    return bytes;
  }
  if (kind === 2) {
    data[integer(random, 0, data.length - 1)] ^= 1 << integer(random, 0, 7);
    return bytes;
  }
  if (kind === 3) return whole(changeJson(header.slice(), random, WORDS), data);
  if (kind === 4) {
    // Another type of as many bits, or of any.
    const text = new TextDecoder().decode(header);
    const found = SAME.filter(([from]) => text.includes(`"${from}"`));
    const [from, to] = integer(random, 0, 3) && found.length ? pick(random, found) : ['F32', 'F4'];
    return whole(new TextEncoder().encode(text.replace(`"${from}"`, `"${to}"`)), data);
  }
  if (kind === 5) {
    // The same names, written otherwise; and many of them.
    const text = new TextDecoder().decode(header);
    const more = Array.from({ length: integer(random, 0, 300) }, (_, k) => `"n${k}":"",`).join('');
    const escaped = text.replace(pick(random, ['note', 'linear', 'lstm.weight']), (word) =>
      word.replace(/[a-z]/, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
    );
    const own = escaped.replace('"__metadata__":{', `"__metadata__":{${more}`);
    return whole(new TextEncoder().encode(own), data);
  }
  // A change of the description, which is a text within the header.
  const value = JSON.parse(new TextDecoder().decode(header));
  const own = new TextEncoder().encode(value.__metadata__['gatefold.model']);
  const text = new TextDecoder().decode(changeJson(own, random, WORDS));
  value.__metadata__['gatefold.model'] = text;
  return whole(new TextEncoder().encode(JSON.stringify(value)), data);
}

export const read = ({ formats }, engine, bytes) => formats.safetensors.loadModel(engine, bytes);

/** Reading alone, for measures of memory. */
export const inspect = ({ formats }, bytes) => formats.safetensors.readSafetensors(bytes);

export const large = {
  'one tensor': (size) => {
    const rows = Math.floor(size / 4000);
    const header = {
      weight: { dtype: 'F32', shape: [rows, 1000], data_offsets: [0, 4000 * rows] },
    };
    return whole(new TextEncoder().encode(JSON.stringify(header)), new Uint8Array(4000 * rows));
  },
  'a header of nothing': (size) => whole(new Uint8Array(size - 8).fill(0x20), new Uint8Array()),
};
