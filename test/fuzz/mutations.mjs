// What readers' modules have in common: changes of bytes, and of the tree of a JSON text.

export const integer = (random, low, high) => low + Math.floor(random() * (high - low + 1));
export const pick = (random, list) => list[Math.floor(random() * list.length)];
const chance = (random, share) => random() < share;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Numbers that break what is not careful. */
export const ODD = [
  0,
  1,
  -1,
  2,
  3,
  7,
  8,
  255,
  256,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 31),
  0.5,
  1e-320,
  1e39,
  1e308,
  -0,
  NaN,
  Infinity,
];

/** Flips, cuts, copies and inserts of a few bytes. */
export function changeBytes(bytes, random) {
  let own = bytes;
  for (let times = integer(random, 1, 3); times > 0 && own.length > 0; times--) {
    const at = integer(random, 0, own.length - 1);
    const length = integer(random, 1, Math.min(16, own.length - at));
    const kind = integer(random, 0, 5);
    if (kind === 0) own[at] ^= 1 << integer(random, 0, 7);
    else if (kind === 1) own[at] = integer(random, 0, 255);
    else if (kind === 2) own = own.slice(0, at);
    else if (kind === 3) own.copyWithin(at, integer(random, 0, own.length - 1), own.length);
    else if (kind === 4) own = joined(own.subarray(0, at), own.subarray(at + length));
    else own = joined(own.subarray(0, at + length), own.subarray(at));
  }
  return own;
}

export function joined(...pieces) {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** A text that stands for itself in a tree. */
class Raw {
  constructor(text) {
    this.text = text;
  }
}

/** JSON, and what is nearly JSON: NaN, keys twice, texts as they are. */
function print(value) {
  if (value instanceof Raw) return value.text;
  if (value instanceof Map) {
    return `{${[...value].map(([key, own]) => `${JSON.stringify(String(key))}:${print(own)}`).join()}}`;
  }
  if (Array.isArray(value)) return `[${value.map(print).join()}]`;
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

const treeOf = (value) => {
  if (Array.isArray(value)) return value.map(treeOf);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([key, own]) => [key, treeOf(own)]));
};

/** Places in a tree: a parent and a key, those near the top as likely as those far below. */
function placesOf(tree) {
  const places = [];
  const walk = (parent, depth) => {
    const keys = parent instanceof Map ? [...parent.keys()] : parent.keys();
    let count = 0;
    for (const key of keys) {
      // Of a long list of numbers a few are enough.
      if (++count > 12) break;
      places.push([parent, key, depth]);
      const own = parent instanceof Map ? parent.get(key) : parent[key];
      if (typeof own === 'object' && own !== null && !(own instanceof Raw)) walk(own, depth + 1);
    }
  };
  walk(tree, 0);
  return places;
}

/** A value that may be put into itself. */
const copyOf = (value) => {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!(value instanceof Map)) return value;
  return new Map([...value].map(([key, own]) => [key, copyOf(own)]));
};

const get = (parent, key) => (parent instanceof Map ? parent.get(key) : parent[key]);
const set = (parent, key, value) =>
  parent instanceof Map ? parent.set(key, value) : (parent[key] = value);

function strangeOf(random, words) {
  return pick(random, [
    () => pick(random, ODD),
    () => pick(random, words),
    () => null,
    () => chance(random, 0.5),
    () => [],
    () => new Map(),
    () => [pick(random, ODD)],
    () => Array.from({ length: integer(random, 1, 40) }, () => 2 * random() - 1),
    () => new Raw('['.repeat(integer(random, 1, 60)) + ']'.repeat(integer(random, 1, 60))),
    () => 'x'.repeat(integer(random, 0, 100)),
    () => '\u0000\ud800é',
    () => String(pick(random, ODD)),
  ])();
}

/** A change of one value of a tree, or of its surroundings. */
function changeTree(tree, random, words) {
  const places = placesOf(tree);
  if (places.length === 0) return;
  const [parent, key] = pick(random, places);
  const value = get(parent, key);
  const [other, otherKey] = pick(random, places);
  const kind = integer(random, 0, 9);
  if (kind === 0) set(parent, key, strangeOf(random, words));
  else if (kind === 1 && parent instanceof Map) parent.delete(key);
  else if (kind === 1) parent.splice(key, integer(random, 0, 2));
  else if (kind === 2) set(parent, key, copyOf(get(other, otherKey)));
  else if (kind === 3 && parent instanceof Map) {
    parent.set(pick(random, [...words, '__proto__', 'constructor', '']), value);
  } else if (kind === 3) parent.splice(key, 0, value);
  else if (kind === 4 && Array.isArray(value)) value.push(value[0] ?? 0);
  else if (kind === 5 && Array.isArray(value)) value.pop();
  else if (typeof value === 'number') set(parent, key, value + pick(random, [1, -1, 0.25, -value]));
  else if (typeof value === 'string' && words.length > 0) set(parent, key, pick(random, words));
}

/**
 * A JSON text with changes of its values; now and then of its bytes instead.
 *
 * @param words texts that mean something to the reader.
 */
export function changeJson(bytes, random, words = []) {
  if (chance(random, 0.1)) return changeBytes(bytes, random);
  let tree;
  try {
    tree = treeOf(JSON.parse(decoder.decode(bytes)));
  } catch {
    return changeBytes(bytes, random);
  }
  if (typeof tree !== 'object' || tree === null) return changeBytes(bytes, random);
  for (let times = integer(random, 1, 3); times > 0; times--) changeTree(tree, random, words);
  let text = print(tree);
  if (text.length > 2e5) return changeBytes(bytes, random);
  if (chance(random, 0.03)) {
    // A key twice.
    const at = text.indexOf('"');
    const end = text.indexOf(',', at);
    if (at >= 0 && end > 0) text = `${text.slice(0, end)},${text.slice(at)}`;
  }
  return encoder.encode(text);
}

/** Large inputs of about `size` bytes, for readers of JSON. */
const repeated =
  (unit, before = '', after = '') =>
  (size) => {
    const bytes = new Uint8Array(size);
    const [head, part, tail] = [before, unit, after].map((text) => encoder.encode(text));
    bytes.set(head);
    const end = size - tail.length;
    let at = head.length;
    for (; at + part.length <= end; at += part.length) bytes.set(part, at);
    bytes.fill(0x20, at, end);
    bytes.set(tail, end);
    return bytes;
  };

export const LARGE_JSON = {
  'small numbers': repeated('0,', '[', '0]'),
  'long numbers': repeated('-0.123456789012345,', '[', '0]'),
  'pairs of numbers': repeated('[1.5,2.5],', '{"weights":[', '[0,0]]}'),
  'lists of one': repeated('[1],', '[', '[0]]'),
  'ragged lists': repeated('[1],[1,2],', '[', '[0]]'),
  'empty objects': repeated('{},', '[', '{}]'),
  'empty lists': repeated('[],', '[', '[]]'),
  'empty texts': repeated('"",', '[', '""]'),
  words: repeated('null,', '[', 'null]'),
  'one text': repeated('x', '"', '"'),
  'one number': repeated('1', '[', ']'),
  'white space': repeated(' ', '[', ']'),
  commas: repeated(',', '[', ']'),
  depth: repeated('['),
};
export { repeated };

/** Little-endian whole number of two or four bytes in place. */
export function put(bytes, at, value, size) {
  for (let k = 0; k < size; k++) bytes[at + k] = Math.floor(value / 2 ** (8 * k)) & 0xff;
}
