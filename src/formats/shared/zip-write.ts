/** Zip archives of stored entries, as NumPy, Keras and `torch.save` write them. */
import { GatefoldError } from '../../base/errors.ts';
import { encodeUtf8, hasLoneSurrogate } from '../../base/utf8.ts';
import { crc32 } from './zip.ts';

export const LOCAL = 0x04034b50;
export const DIRECTORY = 0x02014b50;
export const END = 0x06054b50;
const VERSION = 20;
/** Names are UTF-8. */
export const UTF8 = 0x800;
/** The first day that the format knows: the same entries give the same bytes. */
export const DATE = 0x21;
const MAX = 0xffffffff;

export type Field = readonly [value: number, bytes: 2 | 4];

/** Little-endian numbers one after the other. */
export function fields(...values: readonly Field[]): Uint8Array {
  const bytes: number[] = [];
  for (const [value, size] of values) {
    for (let k = 0; k < size; k++) bytes.push((value >>> (8 * k)) & 0xff);
  }
  return Uint8Array.from(bytes);
}

/** An archive of files by name. */
export function writeZip(
  files: readonly (readonly [name: string, bytes: Uint8Array])[],
): Uint8Array {
  const pieces: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const add = (...parts: readonly Uint8Array[]): void => {
    for (const part of parts) at += part.length;
    pieces.push(...parts);
  };
  for (const [name, bytes] of files) {
    const path = encodeUtf8(name);
    const place = at;
    if (hasLoneSurrogate(name) || path.length > 0xffff) {
      throw new GatefoldError('ERR_ARGUMENT', 'a zip archive has no place for such a name');
    }
    const sizes: Field[] = [
      [crc32(bytes), 4],
      [bytes.length, 4],
      [bytes.length, 4],
      [path.length, 2],
      [0, 2],
    ];
    const common: Field[] = [[VERSION, 2], [UTF8, 2], [0, 2], [0, 2], [DATE, 2], ...sizes];
    add(fields([LOCAL, 4], ...common), path, bytes);
    const rest: Field[] = [
      [0, 2],
      [0, 2],
      [0, 2],
      [0, 4],
      [place, 4],
    ];
    directory.push(fields([DIRECTORY, 4], [VERSION, 2], ...common, ...rest), path);
  }
  const start = at;
  add(...directory);
  const count = files.length;
  if (at > MAX || count > 0xffff) {
    const message = 'an archive takes 65,535 files and 4 GiB at most: write several';
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const end: Field[] = [
    [count, 2],
    [count, 2],
    [at - start, 4],
    [start, 4],
    [0, 2],
  ];
  add(fields([END, 4], [0, 2], [0, 2], ...end));
  const archive = new Uint8Array(at);
  let to = 0;
  for (const piece of pieces) {
    archive.set(piece, to);
    to += piece.length;
  }
  return archive;
}
