// Writes pickles and files of torch.save by hand, also those that nobody should write.
import { zipSync } from 'fflate';

const ascii = (text) => [...text].map((letter) => letter.charCodeAt(0));
const little = (value, size) => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return [...bytes.subarray(0, size)];
};

/** What a value of Python is called here: a tuple, a class, a call of one, a storage. */
export const tuple = (...items) => ({ tuple: items });
export const global = (name) => ({ global: name });
export const call = (name, ...args) => ({ call: global(name), args: tuple(...args) });
export const persistent = (...items) => ({ persistent: tuple(...items) });
/** Opcodes as they are. */
export const raw = (...bytes) => ({ raw: bytes });

function text(value) {
  const bytes = [...new TextEncoder().encode(value)];
  return [0x58, ...little(bytes.length, 4), ...bytes];
}

function number(value) {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return [0x4a, ...little(value, 4)];
  if (Number.isInteger(value)) return [0x8a, 8, ...little(value, 8)];
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return [0x47, ...bytes];
}

/** The opcodes that push a value. */
export function opcodes(value) {
  if (value === null || value === undefined) return [0x4e];
  if (typeof value === 'boolean') return [value ? 0x88 : 0x89];
  if (typeof value === 'number') return number(value);
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return [0x5d, 0x28, ...value.flatMap(opcodes), 0x65];
  if (value instanceof Map) {
    return [0x7d, 0x28, ...[...value].flat().flatMap(opcodes), 0x75];
  }
  if (value.raw) return value.raw;
  if (value.tuple) return [0x28, ...value.tuple.flatMap(opcodes), 0x74];
  if (value.global) {
    const dot = value.global.lastIndexOf('.');
    return ascii(`c${value.global.slice(0, dot)}\n${value.global.slice(dot + 1)}\n`);
  }
  if (value.persistent) return [...opcodes(value.persistent), 0x51];
  const state = value.state === undefined ? [] : [...opcodes(value.state), 0x62];
  return [...opcodes(value.call), ...opcodes(value.args), 0x52, ...state];
}

/** A whole pickle. */
export const pickle = (value) => Uint8Array.from([0x80, 2, ...opcodes(value), 0x2e]);

/** A tensor over a storage of so many elements, a view of it where `more` says. */
export function tensor(key, shape, more = {}) {
  const count = shape.reduce((product, n) => product * n, 1);
  const strides = shape.map((_, k) => shape.slice(k + 1).reduce((product, n) => product * n, 1));
  const {
    type = 'FloatStorage',
    length = count,
    offset = 0,
    stride = strides,
    size = shape,
  } = more;
  const storage = persistent('storage', global(`torch.${type}`), key, 'cpu', length);
  const hooks = call('collections.OrderedDict');
  const args = [storage, offset, tuple(...size), tuple(...stride), false, hooks];
  return call('torch._utils._rebuild_tensor_v2', ...args);
}

/** A zip file of torch.save: a value, and the bytes of its storages by key. */
export function zipped(value, storages = {}) {
  const entries = { 'archive/data.pkl': value instanceof Uint8Array ? value : pickle(value) };
  for (const [key, bytes] of Object.entries(storages)) entries[`archive/data/${key}`] = bytes;
  return zipSync({ ...entries, 'archive/version': Uint8Array.of(0x33, 10) }, { level: 0 });
}

const MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** The same as a legacy file; `size` bytes an element. */
export function legacy(value, storages = {}, size = 4) {
  const system = new Map([
    ['protocol_version', 1001],
    ['little_endian', true],
  ]);
  const main = value instanceof Uint8Array ? value : pickle(value);
  const parts = [MAGIC, pickle(1001), pickle(system), main, pickle(Object.keys(storages))];
  for (const bytes of Object.values(storages)) parts.push(little(bytes.length / size, 8), bytes);
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Bytes of numbers in float32. */
export const floats = (...values) => new Uint8Array(Float32Array.from(values).buffer);
