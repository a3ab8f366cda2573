import { extname } from 'node:path';
import { decodeUtf8 } from '../../base/utf8.ts';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../formats/npz.ts';
import type { NpyArray } from '../../formats/npz.ts';
import { isZip } from '../../formats/shared/zip.ts';
import { naming, writeWhole } from '../../node/files.ts';
import { fail } from '../failure.ts';
import { readFile } from './files.ts';
import type { NumberArray } from './files.ts';
import { readWav, writeWav } from './wav.ts';

/** Arrays of a file, by name where it has names, and samples a second where they are of sound. */
export interface ArrayFile {
  readonly arrays: ReadonlyMap<string, NumberArray>;
  readonly sampleRate?: number;
}

/** What stands for the only input of a model, and for the only output. */
export const ONLY_INPUT = 'x';
export const ONLY_OUTPUT = 'y';

const NPY = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const KINDS = '.npz, .npy, .json, .csv or .wav';

/** Reads arrays from a file of NumPy, JSON, CSV or WAV; what has no names is called `name`. */
export async function readArrays(path: string, name: string = ONLY_INPUT): Promise<ArrayFile> {
  const bytes = await readFile(path);
  return naming(path, () => {
    if (isZip(bytes)) return { arrays: new Map([...readNpz(bytes)].map(numbersOf)) };
    if (NPY.every((byte, k) => bytes[k] === byte))
      return { arrays: new Map([numbersOf([name, readNpy(bytes)])]) };
    if (isRiff(bytes)) {
      const { samples, channels, sampleRate } = readWav(bytes);
      const shape = [samples.length / channels, channels];
      return { arrays: new Map([[name, { shape, data: samples }]]), sampleRate };
    }
    const text = decodeUtf8(bytes);
    if (text === undefined) return fail(`${path} expected ${KINDS}`);
    const isJson = /^\s*[[{]/.test(text);
    return { arrays: isJson ? ofJson(path, text, name) : new Map([[name, ofCsv(path, text)]]) };
  });
}

function isRiff(bytes: Uint8Array): boolean {
  return [...'RIFF'].every((letter, k) => bytes[k] === letter.charCodeAt(0));
}

function numbersOf([name, { shape, data }]: [string, NpyArray]): [string, NumberArray] {
  const isPlain = !(data instanceof BigInt64Array || data instanceof BigUint64Array);
  return [name, { shape, data: isPlain ? (data as ArrayLike<number>) : Array.from(data, Number) }];
}

/** Nested lists, or objects of them; also { shape, data }, and the inputs of a golden file. */
function ofJson(path: string, text: string, name: string): Map<string, NumberArray> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail(`${path} is not JSON`);
  }
  if (Array.isArray(json)) return new Map([[name, nested(path, json)]]);
  const entries = Object.entries(json as object);
  return new Map(entries.map(([key, value]) => [key, arrayOf(`${path}: "${key}"`, value)]));
}

/** An array as JSON has it: nested lists, or shape and data. */
export function arrayOf(at: string, value: unknown): NumberArray {
  if (Array.isArray(value)) return nested(at, value);
  const { shape, data } = (value ?? {}) as { shape?: unknown; data?: unknown };
  const isShape = Array.isArray(shape) && shape.every(Number.isSafeInteger);
  if (!isShape || !Array.isArray(data)) return fail(`${at} expected nested lists of numbers`);
  return { shape: shape as number[], data: data.map((number: number | null) => number ?? NaN) };
}

function nested(at: string, list: readonly unknown[]): NumberArray {
  const shape: number[] = [];
  for (let level: unknown = list; Array.isArray(level); level = level[0]) shape.push(level.length);
  const data = list.flat(shape.length - 1) as number[];
  const isEven = data.length === shape.reduce((product, size) => product * size, 1);
  const areNumbers = data.every((value) => typeof value === 'number' || value === null);
  if (!isEven || !areNumbers) return fail(`${at} expected lists of numbers of the same lengths`);
  return { shape, data: data.map((value) => value ?? NaN) };
}

/** Rows of numbers between commas, semicolons, tabs or spaces; a first line of names is passed. */
function ofCsv(path: string, text: string): NumberArray {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const rows = lines.map((line) => line.trim().split(/[,;\t]\s*|\s+/));
  const isNumeric = (cells: readonly string[]): boolean =>
    cells.every((cell) => cell !== '' && (!Number.isNaN(Number(cell)) || /^nan$/i.test(cell)));
  const first = rows.findIndex(isNumeric);
  if (first < 0 || first > 1) return fail(`${path} expected rows of numbers: ${KINDS}`);
  const width = rows[first]!.length;
  const data = rows.slice(first).flatMap((cells, k) => {
    if (cells.length !== width || !isNumeric(cells)) {
      return fail(`${path} expected ${width} numbers in line ${first + k + 1}`);
    }
    return cells.map(Number);
  });
  return { shape: [data.length / width, width], data };
}

/** Writes arrays in the format that the end of the name says. */
export async function writeArrays(
  path: string,
  arrays: ReadonlyMap<string, NumberArray>,
  sampleRate: number | undefined,
): Promise<void> {
  const kind = extname(path).toLowerCase();
  const one = (): NumberArray => {
    const [only, ...more] = arrays.values();
    return more.length > 0 || !only
      ? fail(`${path} holds one array, and the model has ${arrays.size} outputs: name a .npz file`)
      : only;
  };
  const floats = ({ shape, data }: NumberArray) => ({ shape, data: Float32Array.from(data) });
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const writers: Record<string, () => Uint8Array> = {
    '.npz': () => writeNpz(new Map([...arrays].map(([name, array]) => [name, floats(array)]))),
    '.npy': () => writeNpy(floats(one())),
    '.json': () => text(`${JSON.stringify(Object.fromEntries(plain(arrays)))}\n`),
    '.csv': () => text(csvOf(one())),
    '.wav': () => writeWav(one(), sampleRate),
  };
  const write = writers[kind] ?? fail(`${path} expected a name that ends in ${KINDS}`);
  await writeWhole(path, write());
}

/** Nested lists by name. */
function plain(arrays: ReadonlyMap<string, NumberArray>): [string, unknown][] {
  const nest = (data: readonly number[], shape: readonly number[]): unknown => {
    if (shape.length <= 1) return data;
    const size = data.length / shape[0]!;
    return Array.from({ length: shape[0]! }, (_, k) =>
      nest(data.slice(k * size, (k + 1) * size), shape.slice(1)),
    );
  };
  return [...arrays].map(([name, { shape, data }]) => [name, nest(Array.from(data), shape)]);
}

function csvOf({ shape, data }: NumberArray): string {
  const width = shape.at(-1) ?? 1;
  const lines = Array.from({ length: data.length / width }, (_, row) =>
    Array.from(data)
      .slice(row * width, (row + 1) * width)
      .join(','),
  );
  return `${lines.join('\n')}\n`;
}
