// Arrays of NumPy, by themselves and in archives. Nothing of them is a model: an array that was read
// becomes the weight of one.
import { readFileSync } from 'node:fs';
import { ODD, changeBytes, integer, joined, pick, put } from '../mutations.mjs';

export const name = 'npz';
/** Archives have modules of their own. */
export const sources = [/^src\/formats\/npz\.ts/, /^src\/formats\/shared\/npy\.ts/];

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const TYPES = ['f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1'];

/** A `.npy` file with any header that fits one. */
export function npy({ version = 1, descr = '<f4', order = 'False', shape = '(2, 3)', data }) {
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
  const begin = version === 1 ? 10 : 12;
  const length = Math.ceil((begin + text.length + 1) / 64) * 64 - begin;
  const header = new Uint8Array(begin + length).fill(0x20);
  header.set([...MAGIC, version, 0]);
  put(header, 8, length, begin - 8);
  header.set(new TextEncoder().encode(text), begin);
  header[begin + length - 1] = 0x0a;
  return joined(header, data);
}

const bytesOf = (length) => Uint8Array.from({ length }, (_, k) => (37 * k) & 0x3f);
const files = TYPES.flatMap((type) =>
  ['<', '>'].map((order) => {
    const size = Number(type.slice(1));
    const isOne = order === '>';
    return npy({
      descr: (size === 1 ? '|' : order) + type,
      order: isOne ? 'True' : 'False',
      version: isOne ? 2 : 1,
      data: bytesOf(6 * size),
    });
  }),
);

let made;
export function seeds(gatefold) {
  if (made || !gatefold) return made ?? files;
  const { readNpy, writeNpz } = gatefold;
  const arrays = files.slice(0, 6).map((file, k) => [`array_${k}`, readNpy(file)]);
  const whole = writeNpz(new Map(arrays));
  const single = writeNpz(new Map([['x', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }]]));
  const deflated = new URL('../../fixtures/npz/deflated.npz', import.meta.url);
  made = [
    ...files,
    new Uint8Array(readFileSync(deflated)),
    whole,
    single,
    npy({ shape: '(6,)', data: bytesOf(24) }),
    npy({ shape: '()', data: bytesOf(4) }),
  ];
  return made;
}

const HEADERS = [
  'descr',
  'fortran_order',
  'shape',
  'True',
  'False',
  '<f4',
  '>f8',
  '|O',
  '<U8',
  '<c8',
  '(2, 3)',
  '(6,)',
  '()',
  '(0, 3)',
  '(1, 2, 3)',
  '(2, -3)',
  '(2, 3',
  '(99999999999999999999,)',
  "[('a', '<f4')]",
  "'",
  '"',
  '}',
  '{',
  ',',
];

/** Another word in the header, where one of them stands. */
function changeHeader(bytes, random) {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  const found = HEADERS.filter((word) => text.includes(word));
  if (found.length === 0) return changeBytes(bytes, random);
  const [from, to] = [pick(random, found), pick(random, HEADERS)];
  const at = text.indexOf(from);
  const changed = text.slice(0, at) + to + text.slice(at + from.length);
  // The rest of the file stays where it was, as long as there are spaces to give.
  const spare = changed.length - text.length;
  const end = changed.indexOf('}', at);
  const fitted =
    spare > 0 && end > 0
      ? changed.slice(0, end + 1) + changed.slice(end + 1 + spare)
      : changed.slice(0, Math.max(end + 1, 1)) +
        ' '.repeat(Math.max(-spare, 0)) +
        changed.slice(Math.max(end + 1, 1));
  return Uint8Array.from(fitted, (character) => character.charCodeAt(0));
}

export function mutate(bytes, random) {
  const kind = integer(random, 0, 5);
  if (kind === 0) return changeBytes(bytes, random);
  if (kind === 1) return changeHeader(bytes, random);
  if (kind === 2) {
    // A number of a header or a directory.
    const at = integer(random, 0, Math.max(bytes.length - 4, 0));
    put(
      bytes,
      at,
      pick(
        random,
        ODD.filter((value) => value >= 0),
      ),
      pick(random, [2, 4]),
    );
    return bytes;
  }
  if (kind === 3) {
    // Elements: harmless.
    bytes[bytes.length - 1 - integer(random, 0, Math.min(7, bytes.length - 1))] ^= 0x11;
    return bytes;
  }
  if (kind === 4) return joined(bytes, bytes.subarray(integer(random, 0, bytes.length)));
  const type = pick(random, TYPES);
  const sizes = Array.from({ length: integer(random, 0, 4) }, () => integer(random, 0, 4));
  const count = sizes.reduce((product, size) => product * size, 1);
  return npy({
    version: pick(random, [1, 2, 3]),
    descr: pick(random, ['<', '>', '=', '|', '']) + type,
    order: pick(random, ['True', 'False']),
    shape: sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(', ')})`,
    data: bytesOf(count * Number(type.slice(1)) + pick(random, [0, 0, 0, 0, 1])),
  });
}

const LAYERS = [{ type: 'linear', inFeatures: 1, outFeatures: 1 }];
export function read({ Model, readNpy, readNpz, writeNpy, writeNpz }, engine, bytes) {
  const isOne = bytes[0] === MAGIC[0];
  const arrays = isOne ? new Map([['x', readNpy(bytes)]]) : readNpz(bytes);
  for (const { shape, data } of arrays.values()) {
    const count = shape.reduce((product, size) => product * size, 1);
    if (count !== data.length) throw new Error(`${data.length} elements of [${shape}]`);
    const again = readNpy(writeNpy({ shape, data }));
    if (String(again.shape) !== String(shape)) throw new Error(`[${shape}] came back otherwise`);
  }
  if (readNpz(writeNpz(arrays)).size !== arrays.size) throw new Error('arrays were lost');
  return Model.create(engine, { layers: LAYERS }, { init: 'zeros' });
}

/** Reading alone, for measures of memory. */
export function inspect({ readNpy, readNpz }, bytes) {
  if (bytes[0] === MAGIC[0]) readNpy(bytes);
  else readNpz(bytes);
}

const largeNpy = (type, order) => (size) => {
  const width = Number(type.slice(2));
  const columns = 1000;
  const rows = Math.floor(size / width / columns);
  return npy({
    descr: type,
    order,
    shape: `(${rows}, ${columns})`,
    data: new Uint8Array(rows * columns * width),
  });
};
export const large = {
  float32: largeNpy('<f4', 'False'),
  'float32, big-endian': largeNpy('>f4', 'False'),
  'float32, columns first': largeNpy('<f4', 'True'),
  float16: largeNpy('<f2', 'False'),
  bytes: largeNpy('|u1', 'True'),
  'no array': (size) => new Uint8Array(size),
  'a directory of nothing': (size) => {
    const bytes = new Uint8Array(size);
    bytes.set([0x50, 0x4b, 3, 4]);
    bytes.set([0x50, 0x4b, 5, 6], size - 22);
    return bytes;
  },
};
