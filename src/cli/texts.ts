/** Reads texts of any size in pieces, as code points. */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { GatefoldError } from '../base/errors.ts';
import { kindOfFile } from '../node/replace.ts';
import { fail, reasonOf } from './failure.ts';

/** Most bytes of all texts together: in memory they take four times that. */
const MAX_BYTES = 1_000_000_000;
const PIECE = 2 ** 20;
/** Bytes at the start of a file by which UTF-16 is told from UTF-8, and the share of zeros. */
const [SAMPLE, ZEROS] = [4096, 0.3];

/** Texts, one after the other. */
export interface Texts {
  /** Code points of all. */
  readonly points: Int32Array;
  /** Where each ends. */
  readonly ends: readonly number[];
  /** Tells one text from another. */
  readonly fingerprint: string;
}

const refuse = (path: string, error: unknown): never =>
  fail(`cannot read ${path}: ${reasonOf(error)}; name text files that exist`);

function tooLarge(bytes: number | string, path?: string): never {
  const which = path === undefined ? 'the texts have' : `${path} has`;
  return fail(
    `${which} ${bytes.toLocaleString('en')} bytes, and a run learns from at most ` +
      `${MAX_BYTES.toLocaleString('en')}: give a part, head -n 1000000 FILE > NEW`,
  );
}

/** Bytes of a text, as far as that is known; refuses what is no text or has too much of it. */
function sizeOf(path: string): number {
  let size: number;
  try {
    const stats = statSync(path);
    const kind = kindOfFile(stats);
    // A pipe, such as <(zcat book.gz), is read as it comes.
    if (kind && kind !== 'a pipe') fail(`${path} is ${kind}: name a text file`);
    size = stats.size;
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    return refuse(path, error);
  }
  if (size > MAX_BYTES) tooLarge(size, path);
  return size;
}

/** The name that `iconv` has for bytes that are UTF-16 or UTF-32. */
function wideEncoding(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? 'utf-32' : 'utf-16';
  if (a === 0xfe && b === 0xff) return 'utf-16';
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return 'utf-32';
  // Without a mark: every other byte of most texts is 0.
  const zeros = [0, 0];
  const length = Math.min(bytes.length, SAMPLE) & ~1;
  for (let i = 0; i < length; i++) if (bytes[i] === 0) zeros[i % 2]!++;
  const share = zeros.map((count) => count / (length / 2));
  if (share[1]! > ZEROS && share[0]! < share[1]! / 8) return 'utf-16le';
  if (share[0]! > ZEROS && share[1]! < share[0]! / 8) return 'utf-16be';
  return undefined;
}

const convert = (path: string, name: string, from: string): never =>
  fail(`${path} is ${name}: convert it, iconv -f ${from} -t utf-8 FILE > NEW`);

/** Calls `take` with the pieces of a file that is UTF-8; gives its size and hash. */
function readPieces(path: string, take: (text: string) => void): { bytes: number; hash: Buffer } {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch {
      return convert(path, 'not UTF-8 text', 'latin1');
    }
  };
  const hash = createHash('sha256');
  const buffer = new Uint8Array(PIECE);
  let bytes = 0;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    for (;;) {
      // The start of a text says how it is written, and pipes give little at once.
      let length = 0;
      for (let read = -1; read !== 0 && length < SAMPLE; length += read) {
        read = readSync(descriptor, buffer, length, PIECE - length, null);
      }
      if (length === 0) break;
      const piece = buffer.subarray(0, length);
      if (bytes === 0) {
        const wide = wideEncoding(piece);
        if (wide) convert(path, `${wide.slice(0, 6).toUpperCase()}, not UTF-8 text`, wide);
      }
      bytes += length;
      hash.update(piece);
      take(decode(piece));
    }
    take(decode());
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    refuse(path, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return { bytes, hash: hash.digest() };
}

/** Memory for so many code points. */
function allocate(length: number): Int32Array {
  try {
    return new Int32Array(length);
  } catch {
    return fail(
      `the texts need ${(4 * length).toLocaleString('en')} bytes of memory, which this machine ` +
        'does not give: give a part, head -n 1000000 FILE > NEW',
    );
  }
}

/** Reads the texts one after the other. */
export function readPoints(paths: readonly string[]): Texts {
  const total = paths.map(sizeOf).reduce((sum, size) => sum + size, 0);
  if (total > MAX_BYTES) tooLarge(total);
  // A code point has at least one byte.
  let points = allocate(Math.max(total, SAMPLE));
  let [length, bytes] = [0, 0];
  const ends: number[] = [];
  const fingerprint = createHash('sha256');
  for (const path of paths) {
    const start = length;
    const read = readPieces(path, (text) => {
      if (length + text.length > points.length) {
        if (length + text.length > MAX_BYTES) tooLarge(`more than ${MAX_BYTES}`, path);
        const grown = allocate(Math.max(2 * points.length, length + text.length));
        grown.set(points.subarray(0, length));
        points = grown;
      }
      for (let at = 0; at < text.length; at++) {
        const point = text.codePointAt(at)!;
        points[length++] = point;
        if (point > 0xffff) at++;
      }
    });
    if (length === start) fail(`${path} is empty: name a file with text in it`);
    bytes += read.bytes;
    if (bytes > MAX_BYTES) tooLarge(bytes);
    fingerprint.update(`${read.bytes} `).update(read.hash);
    ends.push(length);
  }
  return { points: points.subarray(0, length), ends, fingerprint: fingerprint.digest('hex') };
}
