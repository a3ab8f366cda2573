import { GatefoldError } from '../errors.ts';
import type { Tensor } from '../types.ts';
import { LENGTH_BYTES, MAX_DIMENSION, MAX_RANK, METADATA, isCount } from './safetensors-read.ts';
import { encodeUtf8, hasLoneSurrogate } from './utf8.ts';

function checkTensor(name: string, { shape, data }: Tensor): void {
  const fail = (message: string): never => {
    throw new GatefoldError('ERR_ARGUMENT', `tensor ${JSON.stringify(name)} ${message}`);
  };
  if (name === METADATA) fail('has the name that the format keeps for itself: rename it');
  if (hasLoneSurrogate(name)) fail('has a name that UTF-8 cannot say: rename it');
  if (!(data instanceof Float32Array)) fail('expected "data" as a Float32Array');
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

/** Writes tensors in their order, as F32, with the data aligned to 8 bytes. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) fields.push(`"${METADATA}":${metadataJson(metadata)}`);
  let dataBytes = 0;
  for (const [name, tensor] of tensors) {
    checkTensor(name, tensor);
    const end = dataBytes + tensor.data.byteLength;
    const info = { dtype: 'F32', shape: tensor.shape, data_offsets: [dataBytes, end] };
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
  const data = new Float32Array(bytes.buffer, dataStart);
  let at = 0;
  for (const tensor of tensors.values()) {
    data.set(tensor.data, at);
    at += tensor.data.length;
  }
  return bytes;
}
