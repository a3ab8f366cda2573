import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts';
import type { Tensor } from '../../src/hosts/default.ts';

export interface Parts {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/** FNV-1a over words of 32 bits: whoever changes a file can compute it again. */
function checksumOf({ tensors, metadata }: Parts): string {
  let hash = 0x811c9dc5;
  const add = (word: number): void => {
    hash = Math.imul(hash ^ word, 0x01000193);
  };
  const addText = (text: string): void => text.split('').forEach((c) => add(c.charCodeAt(0)));
  for (const [name, { shape, data }] of tensors) {
    addText(`${name} ${shape.join()};`);
    new Int32Array(data.buffer, data.byteOffset, data.length).forEach(add);
  }
  for (const [key, text] of Object.entries(metadata)) {
    if (key !== 'gatefold.checksum') addText(`${key} ${text};`);
  }
  return String(hash >>> 0);
}

/** A trainer's file with some of it changed, and the checksum of what it then is. */
export function tampered(bytes: Uint8Array, change: (parts: Parts) => void): Uint8Array {
  const file = readSafetensors(bytes);
  const parts: Parts = { tensors: new Map(file.tensors), metadata: { ...file.metadata } };
  change(parts);
  parts.metadata['gatefold.checksum'] = checksumOf(parts);
  return writeSafetensors(parts.tensors, parts.metadata);
}
