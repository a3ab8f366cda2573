/**
 * Results as arrays of NumPy. Until all are there nobody knows how many rows an array has: pieces
 * of results are kept as frames, each with a part of every array, and put together at the end.
 *
 *     ╒═ 4 bytes an array ═╤══ part of the 1st ══╤══ of the 2nd ══╤═ ... ═╕
 *     │ bytes of each part │                     │                │       │
 *     └────────────────────┴─────────────────────┴────────────────┴───────┘
 */

import type { FileHandle } from 'node:fs/promises';
import { DATE, DIRECTORY, END, LOCAL, UTF8, fields } from '../../formats/shared/zip-write.ts';
import type { Field } from '../../formats/shared/zip-write.ts';
import { crc32 } from '../../formats/shared/zip.ts';
import type { Model } from '../../model/model.ts';
import type { Result } from './result.ts';

/** Bytes before the elements of an array: enough for any number of rows. */
export const NPY_HEADER = 128;
/** Sizes are in the form of zip64, as NumPy writes them. */
const [VERSION_64, EXTRA_64, END_64, LOCATOR_64] = [45, 1, 0x06064b50, 0x07064b50];
const [ELSEWHERE, MANY] = [0xffffffff, 0xffff];
/** Bytes that are copied at once. */
const COPY = 2 ** 20;
const [INTEGER, LAST_INTEGER] = [/^-?(?:0|[1-9]\d*)$/, 2n ** 63n - 1n];

/** An array of the archive. */
interface Column {
  readonly name: string;
  readonly kind: 'floats' | 'lengths' | 'ids';
  /** Numbers of a row of floats. */
  readonly width: number;
  /** Its part of some results. */
  part(results: readonly Result[]): Uint8Array;
}

/** A stretch of a file. */
type Extent = readonly [from: number, to: number];

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Every output, of one with a row for each step how many each record has, and ids. */
export function columnsOf({ outputs }: Model, hasIds: boolean): Column[] {
  const isOne = outputs.length === 1;
  const columns = outputs.flatMap(({ name, size, pooled }, k): Column[] => {
    const floats: Column = {
      name: isOne ? 'y' : name,
      kind: 'floats',
      width: size,
      part: (results) => Buffer.concat(results.map(({ outputs: own }) => bytesOf(own[k]!))),
    };
    const lengths: Column = {
      name: isOne ? 'lengths' : `${name}_lengths`,
      kind: 'lengths',
      width: 1,
      part: (results) =>
        bytesOf(Int32Array.from(results, ({ outputs: own }) => own[k]!.length / size)),
    };
    return pooled ? [floats] : [floats, lengths];
  });
  if (!hasIds) return columns;
  const part = (results: readonly Result[]): Uint8Array =>
    Buffer.from(results.map(({ id }) => `${id ?? '""'}\n`).join(''));
  return [...columns, { name: 'id', kind: 'ids', width: 1, part }];
}

/** Results as a frame. */
export function printFrame(
  results: readonly Result[],
  model: Model,
  hasIds: boolean,
): Uint8Array<ArrayBuffer> {
  const parts = columnsOf(model, hasIds).map((column) => column.part(results));
  const sizes = bytesOf(Uint32Array.from(parts, ({ length }) => length));
  return new Uint8Array(Buffer.concat([sizes, ...parts]));
}

/** What an array begins with, once its rows are counted. */
export function npyHeader(type: string, shape: readonly number[]): Uint8Array {
  const sizes = `${shape.join(', ')}${shape.length === 1 ? ',' : ''}`;
  const bytes = Buffer.alloc(NPY_HEADER, ' ');
  bytes.set([0x93, ...Buffer.from('NUMPY'), 1, 0, NPY_HEADER - 10, 0]);
  bytes.write(`{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes}), }`, 10);
  bytes[NPY_HEADER - 1] = 10;
  return bytes;
}

async function readAll(file: FileHandle, [from, to]: Extent): Promise<Uint8Array> {
  const bytes = Buffer.alloc(to - from);
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at);
    if (bytesRead === 0) throw new Error('the results have become shorter');
    at += bytesRead;
  }
  return bytes;
}

/** Where the parts of each of so many arrays are, of frames up to `end`. */
async function extentsOf(frames: FileHandle, end: number, count: number): Promise<Extent[][]> {
  const extents: Extent[][] = Array.from({ length: count }, () => []);
  for (let at = 0; at < end;) {
    const head = await readAll(frames, [at, at + 4 * count]);
    const view = new DataView(head.buffer, head.byteOffset);
    at += 4 * count;
    for (const [k, own] of extents.entries()) {
      const size = view.getUint32(4 * k, true);
      own.push([at, (at += size)]);
    }
  }
  return extents;
}

/** Texts of ids, those of a part after the other. */
async function* idsOf(frames: FileHandle, extents: readonly Extent[]): AsyncGenerator<string[]> {
  for (const extent of extents) {
    const lines = Buffer.from(await readAll(frames, extent)).toString();
    yield lines.split('\n').slice(0, -1);
  }
}

/** Bytes of an array, its header first. */
type Content = AsyncGenerator<Uint8Array>;

async function* numbers(frames: FileHandle, extents: readonly Extent[], column: Column): Content {
  const total = extents.reduce((sum, [from, to]) => sum + to - from, 0);
  const isFloat = column.kind === 'floats';
  const rows = total / (4 * column.width);
  yield npyHeader(isFloat ? '<f4' : '<i4', isFloat ? [rows, column.width] : [rows]);
  for (const [from, to] of extents) {
    for (let at = from; at < to; at += COPY) {
      yield readAll(frames, [at, Math.min(at + COPY, to)]);
    }
  }
}

/** Whole numbers where all ids are, else texts: as long as the longest, as NumPy has them. */
async function* ids(frames: FileHandle, extents: readonly Extent[]): Content {
  let [count, width, areIntegers] = [0, 1, true];
  const plain = (id: string): string => (id.startsWith('"') ? (JSON.parse(id) as string) : id);
  const isInteger = (id: string): boolean =>
    INTEGER.test(id) && id.length < 20 && BigInt(id.replace('-', '')) <= LAST_INTEGER;
  for await (const part of idsOf(frames, extents)) {
    count += part.length;
    for (const id of part) {
      areIntegers &&= isInteger(id);
      width = Math.max(width, [...plain(id)].length);
    }
  }
  yield npyHeader(areIntegers ? '<i8' : `<U${width}`, [count]);
  for await (const part of idsOf(frames, extents)) {
    if (areIntegers) yield bytesOf(BigInt64Array.from(part, BigInt));
    else {
      const codes = new Uint32Array(part.length * width);
      for (const [k, id] of part.entries()) {
        codes.set(
          Array.from(plain(id), (letter) => letter.codePointAt(0)!),
          k * width,
        );
      }
      yield bytesOf(codes);
    }
  }
}

const wide = (value: number): Field[] => [
  [value % 2 ** 32, 4],
  [Math.floor(value / 2 ** 32), 4],
];

/** Puts the frames of a file, up to `end`, together as an archive. */
export async function assemble(
  frames: FileHandle,
  end: number,
  archive: FileHandle,
  columns: readonly Column[],
): Promise<void> {
  const extents = await extentsOf(frames, end, columns.length);
  const directory: Uint8Array[] = [];
  let at = 0;
  const put = async (bytes: Uint8Array, place = at): Promise<void> => {
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done;
      done += (await archive.write(bytes, done, left, place + done)).bytesWritten;
    }
  };
  for (const [k, column] of columns.entries()) {
    const own = extents[k]!;
    const content = column.kind === 'ids' ? ids(frames, own) : numbers(frames, own, column);
    const path = Buffer.from(`${column.name}.npy`);
    const place = at;
    let [checksum, size] = [0, 0];
    const head = (extra: number): Field[] => [
      [VERSION_64, 2],
      [UTF8, 2],
      [0, 2],
      [0, 2],
      [DATE, 2],
      [checksum, 4],
      [ELSEWHERE, 4],
      [ELSEWHERE, 4],
      [path.length, 2],
      [extra, 2],
    ];
    const sizes = (): Field[] => [...wide(size), ...wide(size)];
    const local = (): Uint8Array =>
      Buffer.concat([
        fields([LOCAL, 4], ...head(20)),
        path,
        fields([EXTRA_64, 2], [16, 2], ...sizes()),
      ]);
    at += local().length;
    for await (const bytes of content) {
      checksum = crc32(bytes, checksum);
      await put(bytes);
      [size, at] = [size + bytes.length, at + bytes.length];
    }
    await put(local(), place);
    directory.push(
      fields([DIRECTORY, 4], [VERSION_64, 2], ...head(28)),
      fields([0, 2], [0, 2], [0, 2], [0, 4], [ELSEWHERE, 4]),
      path,
      fields([EXTRA_64, 2], [24, 2], ...sizes(), ...wide(place)),
    );
  }
  const list = Buffer.concat(directory);
  const counts = [...wide(columns.length), ...wide(columns.length)];
  const end64 = [...counts, ...wide(list.length), ...wide(at)];
  await put(
    Buffer.concat([
      list,
      fields([END_64, 4], ...wide(44), [VERSION_64, 2], [VERSION_64, 2], [0, 4], [0, 4], ...end64),
      fields([LOCATOR_64, 4], [0, 4], ...wide(at + list.length), [1, 4]),
      fields(
        [END, 4],
        [0, 2],
        [0, 2],
        [MANY, 2],
        [MANY, 2],
        [ELSEWHERE, 4],
        [ELSEWHERE, 4],
        [0, 2],
      ),
    ]),
  );
}
