// Files of torch.save, changed where it hurts: opcodes of their pickles, entries of their archives.
import { readFileSync, readdirSync } from 'node:fs';
import { unzipSync, zipSync } from 'fflate';
import {
  call,
  floats,
  legacy,
  opcodes,
  raw,
  tensor,
  tuple,
  zipped,
} from '../../support/pickles.mjs';

export const name = 'pytorch';
export const sources = [
  /^src\/formats\/(pytorch(\/|\.ts$)|shared\/(zip|inflate|bytes|imported)\.ts$)/,
];

const FOLDER = new URL('../../fixtures/pytorch/', import.meta.url);
/** Files of the folder, but for the pack, which is large. */
const FILES = readdirSync(FOLDER).filter(
  (file) => /\.(pt|ckpt|pkl)$/.test(file) && file !== 'pack.pt',
);

/** A linear layer in every way that a pickle has of saying it. */
function oddities() {
  const weight = tensor('0', [2, 3]);
  const storages = { 0: floats(1, 2, 3, 4, 5, 6) };
  const line = (text) => [...text].map((letter) => letter.charCodeAt(0));
  const ordered = call('collections.OrderedDict', [[raw(0x55, 8, ...line('l.weight')), weight]]);
  const old = line("(dp0\nS'l.weight'\np1\n").concat(opcodes(weight), line('s'));
  const text = line("(dp0\nS'note'\n(lp1\nI1\naL2L\naF0.5\nag0\nasV").concat(
    line('l.weight\n'),
    opcodes({ call: { global: 'torch._utils._rebuild_parameter' }, args: tuple(weight, true) }),
    [0x73],
  );
  const wide = { type: 'FloatStorage', offset: 1, stride: [1, 2], length: 6, size: [2, 2] };
  const typed = call('torch._utils._rebuild_tensor_v3', ...tensor('0', [2, 3]).args.tuple, {
    global: 'torch.float32',
  });
  const sub = call(
    'torch._tensor._rebuild_from_type_v2',
    { global: 'torch._utils._rebuild_tensor_v2' },
    { global: 'torch.nn.parameter.Parameter' },
    weight.args,
    null,
  );
  const values = [
    ordered,
    raw(...old),
    raw(...text),
    new Map([['l.weight', typed]]),
    new Map([['l.weight', sub]]),
    new Map([['l.weight', tensor('0', [2, 2], wide)]]),
    [new Map([['l', new Map([['weight', weight]])]]), new Map([['step', 3]])],
  ];
  return values.flatMap((value) => [zipped(value, storages), legacy(value, storages)]);
}

export function seeds() {
  const files = FILES.map((file) => new Uint8Array(readFileSync(new URL(file, FOLDER))));
  const packed = zipSync(unzipSync(files[FILES.indexOf('zip.pt')]), { level: 6 });
  return [...files, packed, ...oddities()];
}

/** Bytes of operands by opcode: a number, or how many bytes say how many follow. */
const FIXED = { K: 1, h: 1, q: 1, M: 2, J: 4, j: 4, r: 4, G: 8, '\x80': 1, '\x95': 8 };
const COUNTED = {
  U: 1,
  C: 1,
  '\x8a': 1,
  '\x8c': 1,
  X: 4,
  T: 4,
  B: 4,
  '\x8b': 4,
  '\x8d': 8,
  '\x8e': 8,
};
const LINES = { c: 2, i: 2, p: 1, g: 1, S: 1, V: 1, I: 1, L: 1, F: 1, P: 1 };

/** The opcodes of a pickle from `start` on: where each begins, and the end. */
function tokensOf(bytes, start) {
  const tokens = [];
  let at = start;
  while (at < bytes.length) {
    tokens.push(at);
    const code = String.fromCharCode(bytes[at++]);
    if (FIXED[code]) at += FIXED[code];
    else if (COUNTED[code]) {
      let size = 0;
      for (let k = COUNTED[code] - 1; k >= 0; k--) size = size * 256 + (bytes[at + k] ?? 0);
      at += COUNTED[code] + size;
    } else {
      for (let k = 0; k < (LINES[code] ?? 0); k++) at = bytes.indexOf(10, at) + 1 || bytes.length;
    }
    if (code === '.') break;
  }
  return { tokens, end: Math.min(at, bytes.length) };
}

const GLOBALS = [
  'os.system',
  'collections.OrderedDict',
  'torch._utils._rebuild_tensor',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_tensor_v3',
  'torch._utils._rebuild_parameter',
  'torch.storage._load_from_bytes',
  'torch.DoubleStorage',
  'torch.HalfStorage',
  'torch.BFloat16Storage',
  'torch.LongStorage',
  'torch.UntypedStorage',
  'torch.Size',
  '_codecs.encode',
  'copy_reg._reconstructor',
];
const EDGES = [0, 1, 2, 3, 4, 6, 8, 12, 16, 255, 2 ** 16, 2 ** 31 - 1, -1, -(2 ** 31)];
const CODES = [
  ...'()]}.012JKMNRXabdehjlqrstuo',
  '\x81',
  '\x85',
  '\x86',
  '\x87',
  '\x8f',
  '\x93',
  '\x94',
];

const pick = (random, list) => list[Math.floor(random() * list.length)];
const below = (random, n) => Math.floor(random() * n);

function spliced(bytes, start, end, middle) {
  const out = new Uint8Array(start + middle.length + bytes.length - end);
  out.set(bytes.subarray(0, start));
  out.set(middle, start);
  out.set(bytes.subarray(end), start + middle.length);
  return out;
}

/** One change of one opcode of a pickle, or of its surroundings. */
function changed(bytes, start, random) {
  const { tokens, end } = tokensOf(bytes, start);
  if (tokens.length === 0) return bytes;
  const index = below(random, tokens.length);
  const [from, to] = [tokens[index], tokens[index + 1] ?? end];
  const code = String.fromCharCode(bytes[from]);
  const other = below(random, tokens.length);
  const copy = bytes.slice(tokens[other], tokens[other + 1 + below(random, 4)] ?? end);
  const way = below(random, 8);
  // Numbers and names are what a reader believes: they change most.
  if (way < 4 && 'KMJ'.includes(code)) {
    return spliced(bytes, from, to, opcodes(pick(random, EDGES)));
  }
  if (way < 4 && code === 'c') {
    return spliced(bytes, from, to, opcodes({ global: pick(random, GLOBALS) }));
  }
  if (way < 4 && to > from + 1) {
    const out = bytes.slice();
    out[from + 1 + below(random, to - from - 1)] = below(random, 256);
    return out;
  }
  if (way === 4) return spliced(bytes, from, to, []);
  if (way === 5) return spliced(bytes, from, from, copy);
  if (way === 6) return spliced(bytes, from, to, copy);
  return spliced(bytes, from, from, [pick(random, CODES).charCodeAt(0), below(random, 256)]);
}

/** Where the pickles of a file that is no archive begin. */
function picklesOf(bytes) {
  const starts = [];
  for (let at = 0; starts.length < 5 && bytes[at] === 0x80; at = tokensOf(bytes, at).end)
    starts.push(at);
  return starts.length > 0 ? starts : [0];
}

function mutateZip(bytes, random) {
  const entries = unzipSync(bytes);
  const names = Object.keys(entries);
  if (names.length === 0) return flipped(bytes, random);
  const main = names.find((entry) => entry.endsWith('data.pkl'));
  const data = names.filter((entry) => /\/data\/\d+$/.test(entry));
  const way = below(random, 8);
  if (way < 4 && main) entries[main] = changed(entries[main], 0, random);
  else if (way < 6 && data.length > 0) {
    const entry = pick(random, data);
    entries[entry] = flipped(entries[entry], random);
  } else if (way === 6) {
    const entry = pick(random, names);
    entries[pick(random, names)] = entries[entry].slice(
      0,
      below(random, entries[entry].length + 1),
    );
  } else delete entries[pick(random, names)];
  return zipSync(entries, { level: pick(random, [0, 0, 0, 6]) });
}

/** Some bytes changed, most of them towards the ends, where headers and directories are. */
function flipped(bytes, random) {
  const out = bytes.slice();
  for (let k = 1 + below(random, 4); k > 0 && out.length > 0; k--) {
    const far = below(random, out.length);
    const near = out.length - 1 - below(random, Math.min(out.length, 400));
    out[random() < 0.6 ? far : near] =
      random() < 0.5 ? below(random, 256) : pick(random, [0, 1, 255]);
  }
  return out;
}

export function mutate(bytes, random) {
  let out = bytes;
  // Archives are taken apart while they are whole.
  for (let k = pick(random, [0, 1, 1, 1, 2, 4]); k > 0; k--) {
    if (out[0] === 0x50 && out[1] === 0x4b) out = mutateZip(out, random);
    else out = changed(out, pick(random, picklesOf(out)), random);
  }
  const way = random();
  if (out === bytes || way < 0.1) return flipped(out, random);
  return way < 0.15 ? out.slice(0, below(random, out.length + 1)) : out;
}

/** Above it a file is read and no model made: what reading takes is to be seen. */
const MOST = 2 ** 24;

/** The model of the proposal, or else the first module that is a layer. */
export function read({ Model, describeModule, loadPytorch, readPytorch }, engine, bytes) {
  const file = readPytorch(bytes);
  if (bytes.length > MOST) return undefined;
  const { proposal: description } = file;
  if (description) return loadPytorch(engine, bytes, { description, strict: false });
  const module = file.modules.find(({ layer, shapes }) => layer && Object.keys(shapes).length > 0);
  if (!module) return undefined;
  const { tensors, ...alone } = describeModule(file, module.name);
  const model = Model.create(engine, alone.description, {
    init: 'zeros',
    metadata: alone.metadata,
  });
  try {
    model.loadStateDict(tensors);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Files of so many bytes that take what they can. */
export const large = {
  'weights, zip': (size) => zipped(big('FloatStorage', size / 4), { 0: new Uint8Array(size) }),
  'half weights, zip': (size) => zipped(big('HalfStorage', size / 2), { 0: new Uint8Array(size) }),
  'empty lists': (size) => new Uint8Array(size).fill(0x5d),
  'empty dicts in a list': (size) => {
    const bytes = new Uint8Array(size).fill(0x7d);
    bytes.set([0x5d, 0x28]);
    bytes.set([0x65, 0x2e], size - 2);
    return bytes;
  },
  'a vocabulary': (size) => {
    const entry = (k) => [...opcodes(`w${k}`), 0x4b, k & 255];
    const count = Math.floor(size / 200);
    const words = Array.from({ length: count }, (_, k) => entry(k)).flat();
    const value = raw(
      0x7d,
      0x28,
      ...opcodes('w.weight'),
      ...opcodes(big('FloatStorage', count * 40).get('l.weight')),
    );
    const bytes = [0x80, 2, ...value.raw, ...opcodes('vocabulary'), 0x7d, 0x28].concat(
      words,
      [0x75, 0x75, 0x2e],
    );
    return zipped(Uint8Array.from(bytes), { 0: new Uint8Array(count * 160) });
  },
};

const big = (type, count) =>
  new Map([['l.weight', tensor('0', [Math.floor(count / 1000), 1000], { type, length: count })]]);
