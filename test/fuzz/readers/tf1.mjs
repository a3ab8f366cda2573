// Checkpoints of TensorFlow 1: files by name, here in one text of bytes, or arrays of NumPy. The
// wiring is what the reader itself proposes.
import { changeBytes, changeJson, integer, joined, pick, put } from '../mutations.mjs';

export const name = 'tf1';

const MANIFEST = 'manifest.json';
const WORDS = [
  'rnn/basic_lstm_cell/kernel',
  'rnn/basic_lstm_cell/bias',
  'rnn/gru_cell/gates/kernel',
  'rnn/gru_cell/candidate/kernel',
  'head/weights',
  'head/biases',
  'filename',
  'shape',
  'kernel',
  'x/w',
  'bias',
  'cudnn_lstm/opaque_kernel',
  'kernel/Adam',
  'global_step',
  'rnn/basic_lstm_cell/w_i_diag',
  'both/fw/basic_lstm_cell/kernel',
  'both/bw/basic_lstm_cell/kernel',
];

/** Files as one input: count, then name, length and bytes of each. */
export function pack(files) {
  const pieces = [Uint8Array.of(files.size)];
  for (const [file, bytes] of files) {
    const path = new TextEncoder().encode(file);
    const head = new Uint8Array(6);
    put(head, 0, path.length, 2);
    put(head, 2, bytes.length, 4);
    pieces.push(head, path, bytes);
  }
  return joined(...pieces);
}

export function unpack(bytes) {
  const files = new Map();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 1;
  for (let k = 0; k < bytes[0] && at + 6 <= bytes.length; k++) {
    const [path, length] = [view.getUint16(at, true), view.getUint32(at + 2, true)];
    at += 6;
    const file = new TextDecoder().decode(bytes.subarray(at, at + path));
    files.set(file, bytes.subarray(at + path, at + path + length));
    at += path + length;
  }
  return files;
}

const zeros = (...shape) => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.25),
});
const lstm = (scope, inputs, units) => ({
  [`${scope}/kernel`]: zeros(inputs + units, 4 * units),
  [`${scope}/bias`]: zeros(4 * units),
});
const gru = (scope, inputs, units) => ({
  [`${scope}/gates/kernel`]: zeros(inputs + units, 2 * units),
  [`${scope}/gates/bias`]: zeros(2 * units),
  [`${scope}/candidate/kernel`]: zeros(inputs + units, units),
  [`${scope}/candidate/bias`]: zeros(units),
});

const CHECKPOINTS = [
  {
    ...lstm('rnn/multi_rnn_cell/cell_0/basic_lstm_cell', 2, 3),
    ...lstm('rnn/multi_rnn_cell/cell_1/basic_lstm_cell', 3, 3),
    'head/weights': zeros(3, 2),
    'head/biases': zeros(2),
    'head/biases/Adam': zeros(2),
    global_step: zeros(),
  },
  { ...gru('both/fw/gru_cell', 2, 3), ...gru('both/bw/gru_cell', 2, 3), 'head/w': zeros(6, 2) },
  {
    'table/embedding': zeros(7, 3),
    'top/basic_rnn_cell/kernel': zeros(5, 2),
    'top/basic_rnn_cell/bias': zeros(2),
  },
  {
    'front/kernel': zeros(3, 2, 4),
    'front/bias': zeros(4),
    ...lstm('RNN/BasicLSTMCell/Linear', 4, 2),
  },
];

function dump(arrays) {
  const entries = Object.entries(arrays);
  const manifest = entries.map(([key, { shape }], k) => [key, { filename: `file${k}`, shape }]);
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(manifest)));
  const files = entries.map(([, { data }], k) => [`file${k}`, new Uint8Array(data.buffer)]);
  return pack(new Map([[MANIFEST, text], ...files]));
}

let made;
export function seeds(gatefold) {
  if (made || !gatefold) return made ?? CHECKPOINTS.map(dump);
  const { writeNpz, writeNpy } = gatefold;
  const npz = CHECKPOINTS.map((arrays) => writeNpz(new Map(Object.entries(arrays))));
  const npys = Object.entries(CHECKPOINTS[2]).map(([key, array]) => [
    `${key}.npy`,
    writeNpy(array),
  ]);
  made = [
    ...CHECKPOINTS.map(dump),
    npz[0],
    npz[1],
    pack(new Map([['model.npz', npz[2]]])),
    pack(new Map(npys)),
  ];
  return made;
}

const isArchive = (bytes) => bytes[0] === 0x50 && bytes[1] === 0x4b;

export function mutate(bytes, random) {
  if (isArchive(bytes) || integer(random, 0, 9) === 0) {
    if (integer(random, 0, 2) > 0) {
      // An element, and no checksum: refused. Elsewhere names of arrays: read otherwise.
      const at = integer(random, 0, bytes.length - 1);
      bytes[at] ^= 1;
      return bytes;
    }
    return integer(random, 0, 1) ? bytes : changeBytes(bytes, random);
  }
  const files = unpack(bytes);
  const names = [...files.keys()];
  const file = integer(random, 0, 2) > 0 && files.has(MANIFEST) ? MANIFEST : pick(random, names);
  const own = files.get(file).slice();
  if (file === MANIFEST) files.set(file, changeJson(own, random, WORDS));
  else if (integer(random, 0, 3) > 0) {
    own[integer(random, 0, own.length - 1)] ^= 0x15;
    files.set(file, own);
  } else if (integer(random, 0, 1)) files.set(file, changeBytes(own, random));
  else files.delete(file);
  return pack(files);
}

const sourceOf = (bytes) => (isArchive(bytes) ? bytes : unpack(bytes));

/** Reads with the wiring that the error proposes, as a user does who confirms it. */
export function inspect({ GatefoldError, readTf1 }, bytes) {
  const source = sourceOf(bytes);
  try {
    return readTf1(source);
  } catch (error) {
    const at = error instanceof GatefoldError ? error.message.indexOf('{"layers"') : -1;
    if (at < 0) throw error;
    return readTf1(source, { description: JSON.parse(error.message.slice(at)) });
  }
}

export function read(gatefold, engine, bytes) {
  const { description } = inspect(gatefold, bytes);
  return gatefold.loadTf1(engine, sourceOf(bytes), { description });
}

const largeLstm = (size) => {
  const units = Math.floor(Math.sqrt(size / 4 / 4));
  return lstm('rnn/basic_lstm_cell', 1, units);
};
export const large = {
  'a cell as a dump': (size) => dump(largeLstm(size)),
  'nothing in many files': (size) => new Uint8Array(size).fill(1),
};
