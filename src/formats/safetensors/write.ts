import { isOf, lengthOf, viewOf } from '../../base/arrays.ts';
import { checkObject, show } from '../../base/check.ts';
import { GatefoldError, shorten } from '../../base/errors.ts';
import type { Int8Tensor, Tensor } from '../../base/tensor.ts';
import { LENGTH_BYTES, MAX_DIMENSION, MAX_RANK, METADATA, isCount } from './read.ts';
import { encodeUtf8, hasLoneSurrogate } from '../../base/utf8.ts';

/** A tensor of the file, each part of it read once. */
interface Entry {
  readonly name: string;
  readonly dtype: 'F32' | 'I8';
  readonly shape: readonly number[];
  readonly data: Float32Array | Int8Array;
}

function readEntry(name: string, tensor: Tensor | Int8Tensor): Entry {
  const fail = (message: string): never => {
    throw new GatefoldError('ERR_ARGUMENT', `tensor ${JSON.stringify(shorten(name))} ${message}`);
  };
  if (typeof tensor !== 'object' || tensor === null || !Array.isArray(tensor.shape)) {
    fail('expected { shape, data }, shape a list');
  }
  const { shape: given, data } = tensor;
  if (name === METADATA) fail('has the name that the format keeps for itself: rename it');
  if (hasLoneSurrogate(name)) fail('has a name that UTF-8 cannot say: rename it');
  if (!isOf('Float32Array', data) && !isOf('Int8Array', data)) {
    fail('expected "data" as a Float32Array or Int8Array');
  }
  const shape = [...given];
  if (shape.length > MAX_RANK || !shape.every((size) => isCount(size) && size <= MAX_DIMENSION)) {
    fail(`has an impossible shape [${shape.join(', ')}]`);
  }
  const length = shape.reduce((product, size) => product * size, 1);
  if (lengthOf(data) !== length) {
    fail(`of shape [${shape.join(', ')}] expected ${length} elements, got ${lengthOf(data)}`);
  }
  if (isOf('Float32Array', data)) {
    return { name, dtype: 'F32', shape, data: viewOf('Float32Array', data) };
  }
  return { name, dtype: 'I8', shape, data: viewOf('Int8Array', data) };
}

function metadataJson(metadata: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(metadata).map(([key, value]) => {
    if (typeof value === 'string' && !hasLoneSurrogate(key) && !hasLoneSurrogate(value)) {
      return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
    }
    const message = `metadata ${JSON.stringify(shorten(key))} expected well-formed text`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  });
  return `{${pairs.join()}}`;
}

/**
 * Writes tensors as F32, then those of bytes as I8, else in their order, with the data aligned to 8
 * bytes.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor | Int8Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  if (Object.prototype.toString.call(tensors) !== '[object Map]') {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"tensors" expected a Map from names to { shape, data }, got ${show(tensors)}`,
    );
  }
  checkObject('metadata', metadata);
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) fields.push(`"${METADATA}":${metadataJson(metadata)}`);
  let dataBytes = 0;
  const entries = Array.from(tensors, ([name, tensor]) => readEntry(name, tensor));
  const ofType = (wanted: string): Entry[] => entries.filter(({ dtype }) => dtype === wanted);
  const ordered = [...ofType('F32'), ...ofType('I8')];
  for (const { name, dtype, shape, data } of ordered) {
    const end = dataBytes + data.byteLength;
    const info = { dtype, shape, data_offsets: [dataBytes, end] };
    // Pairs are joined by hand because an object would reorder names like "0" and lose "__proto__".
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    dataBytes = end;
  }
  const header = encodeUtf8(`{${fields.join()}}`);
  const headerBytes = Math.ceil(header.length / 8) * 8;
  const dataStart = LENGTH_BYTES + headerBytes;
  const bytes = new Uint8Array(dataStart + dataBytes);
  new DataView(bytes.buffer).setUint32(0, headerBytes, true);
  bytes.fill(0x20, LENGTH_BYTES, dataStart);
  bytes.set(header, LENGTH_BYTES);
  let at = dataStart;
  for (const { data } of ordered) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
