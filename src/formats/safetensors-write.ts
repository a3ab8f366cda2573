import { GatefoldError } from '../errors.ts';
import type { Int8Tensor, Tensor } from '../types.ts';
import { LENGTH_BYTES, MAX_DIMENSION, MAX_RANK, METADATA, isCount } from './safetensors-read.ts';
import { encodeUtf8, hasLoneSurrogate } from './utf8.ts';

function checkTensor(name: string, { shape, data }: Tensor | Int8Tensor): void {
  const fail = (message: string): never => {
    throw new GatefoldError('ERR_ARGUMENT', `tensor ${JSON.stringify(name)} ${message}`);
  };
  if (name === METADATA) fail('has the name that the format keeps for itself: rename it');
  if (hasLoneSurrogate(name)) fail('has a name that UTF-8 cannot say: rename it');
  if (!(data instanceof Float32Array || data instanceof Int8Array)) {
    fail('expected "data" as a Float32Array or Int8Array');
  }
  if (shape.length > MAX_RANK || !shape.every((size) => isCount(size) && size <= MAX_DIMENSION)) {
    fail(`has an impossible shape [${shape.join(', ')}]`);
  }
  const length = shape.reduce((product, size) => product * size, 1);
  if (data.length !== length) {
    fail(`of shape [${shape.join(', ')}] expected ${length} elements, got ${data.length}`);
  }
}

function metadataJson(metadata: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(metadata).map(([key, value]) => {
    if (typeof value === 'string' && !hasLoneSurrogate(key) && !hasLoneSurrogate(value)) {
      return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
    }
    const message = `metadata ${JSON.stringify(key)} expected well-formed text`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  });
  return `{${pairs.join()}}`;
}

/** Writes tensors as F32, then those of bytes as I8, else in their order, with the data aligned to 8 bytes. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor | Int8Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) fields.push(`"${METADATA}":${metadataJson(metadata)}`);
  let dataBytes = 0;
  for (const [name, tensor] of tensors) checkTensor(name, tensor);
  const isWide =
    (wide: boolean) =>
    ([, { data }]: [string, Tensor | Int8Tensor]): boolean =>
      data instanceof Float32Array === wide;
  const ordered = [...[...tensors].filter(isWide(true)), ...[...tensors].filter(isWide(false))];
  for (const [name, { shape, data }] of ordered) {
    const end = dataBytes + data.byteLength;
    const dtype = data instanceof Float32Array ? 'F32' : 'I8';
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
  for (const [, { data }] of ordered) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
