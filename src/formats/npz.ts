import { checkInteger, checkText, readOptions } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { asBytes } from './shared/bytes.ts';
import { checkMap } from './shared/maps.ts';
import { parseNpy, printNpy } from './shared/npy.ts';
import type { NpyArray, NpySource } from './shared/npy.ts';
import { writeZip } from './shared/zip-write.ts';
import { readZip } from './shared/zip.ts';

export type { NpyArray, NpyData, NpySource } from './shared/npy.ts';

/** Most arrays of an archive. */
const MAX_ARRAYS = 65_536;
const MIB = 2 ** 20;

/** How `readNpz` reads. */
export interface NpzOptions {
  /**
   * Most bytes that deflated arrays (`np.savez_compressed`) may take together; default 256 MiB.
   */
  readonly maxBytes?: number;
}

/** The array of a `.npy` file (`numpy.save`), row-major and in memory of its own. */
export function readNpy(bytes: Uint8Array | ArrayBuffer): NpyArray {
  return parseNpy(asBytes(bytes), 'the file');
}

/** An array as a `.npy` file, which `numpy.load` reads. */
export function writeNpy(array: NpySource): Uint8Array {
  return printNpy('array', array);
}

/**
 * The arrays of a `.npz` file (`numpy.savez`) by name, in its order.
 *
 * @example
 *   for (const [name, { shape, data }] of readNpz(bytes)) console.log(name, shape, data.length);
 */
export function readNpz(
  bytes: Uint8Array | ArrayBuffer,
  options: NpzOptions = {},
): Map<string, NpyArray> {
  const { maxBytes = 256 * MIB } = readOptions('options', options, ['maxBytes']);
  const maxInflated = checkInteger('maxBytes', maxBytes, 0, Number.MAX_SAFE_INTEGER);
  const entries = readZip(asBytes(bytes), { maxEntries: MAX_ARRAYS, maxInflated });
  const arrays = new Map<string, NpyArray>();
  for (const [file, entry] of entries) {
    const name = file.replace(/\.npy$/, '');
    if (name === file) {
      const message = `the archive has "${file}", which is no array; a .npz file has .npy files alone`;
      throw new GatefoldError('ERR_FORMAT', message);
    }
    arrays.set(name, parseNpy(entry.bytes(), `"${name}"`));
  }
  return arrays;
}

/** Arrays by name as a `.npz` file without compression, which `numpy.load` reads. */
export function writeNpz(arrays: ReadonlyMap<string, NpySource>): Uint8Array {
  const given = checkMap('arrays', arrays, 'names to { shape, data }');
  const files = Array.from(given, ([name, array]) => {
    const bytes = printNpy(`arrays.get('${checkText('name', name)}')`, array);
    return [`${name}.npy`, bytes] as const;
  });
  return writeZip(files);
}
