/** Parquet files: their columns and rows, and the records of some rows. */

import { fstatSync, openSync, readSync } from 'node:fs';
import * as zlib from 'node:zlib';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import type { AsyncBuffer, Compressors, FileMetaData } from 'hyparquet';
import { GatefoldError } from '../../base/errors.ts';
import { malformed } from './cursor.ts';
import type { ParquetPiece, RecordRead } from './records.ts';

/** Rows that are decoded together: those of a group, or of a part of it that can be found. */
export interface RowGroup {
  readonly from: number;
  readonly to: number;
  /** Of the columns asked for, as they are in the file. */
  readonly bytes: number;
  readonly canBeCut: boolean;
}

/** An opened file. */
export interface ParquetFile {
  readonly path: string;
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
}

const { zstdDecompressSync: zstd } = zlib as {
  readonly zstdDecompressSync?: (bytes: Uint8Array) => Uint8Array;
};
/** Those of Parquet that Node has; Snappy is hyparquet's own. ZSTD needs Node 22.15. */
const compressors: Compressors = {
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
  ...(zstd && { ZSTD: zstd }),
};

const opened = new Map<string, Promise<ParquetFile>>();

/** Opens a file once in a thread. */
export function openParquet(path: string): Promise<ParquetFile> {
  let own = opened.get(path);
  if (!own) opened.set(path, (own = open(path)));
  return own;
}

async function open(path: string): Promise<ParquetFile> {
  const descriptor = openSync(path, 'r');
  const { size: byteLength } = fstatSync(descriptor);
  const slice = (from: number, to: number = byteLength): ArrayBuffer => {
    const bytes = new Uint8Array(to - from);
    const got = readSync(descriptor, bytes, 0, bytes.length, from);
    return bytes.buffer.slice(0, got);
  };
  const file = { byteLength, slice };
  return { path, file, metadata: await said(path, parquetMetadataAsync(file)) };
}

/** What a reader says of bytes that are no Parquet, as an error that names the file. */
async function said<T>(path: string, read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    throw new GatefoldError('ERR_FORMAT', `${path}: ${(error as Error).message}`);
  }
}

/** Names of the columns, and of those that are lists. */
export function columnsOf({ metadata }: ParquetFile): { keys: string[]; lists: string[] } {
  const { children } = parquetSchema(metadata);
  const isList = ({ element }: (typeof children)[number]): boolean =>
    element.converted_type === 'LIST' || element.repetition_type === 'REPEATED';
  const nameOf = ({ element: { name } }: (typeof children)[number]): string => name;
  return { keys: children.map(nameOf), lists: children.filter(isList).map(nameOf) };
}

/** The groups of rows, with the bytes of some columns. */
export function groupsOf({ metadata }: ParquetFile, columns: readonly string[]): RowGroup[] {
  let from = 0;
  return metadata.row_groups.map(({ num_rows: rows, columns: all }) => {
    const own = all.filter(({ meta_data: data }) => columns.includes(data!.path_in_schema[0]!));
    const bytes = own.reduce(
      (sum, { meta_data: data }) => sum + Number(data!.total_compressed_size),
      0,
    );
    const canBeCut = own.every(({ offset_index_offset: index }) => index !== undefined);
    return { from, to: (from += Number(rows)), bytes, canBeCut };
  });
}

/** The records of a piece. */
export async function readParquet(piece: ParquetPiece): Promise<RecordRead[]> {
  const { path, fields, id, widths, from, to } = piece;
  const { file, metadata } = await openParquet(path);
  const columns = [...Object.values(fields), ...(id === undefined ? [] : [id])];
  const options = { file, metadata, columns, compressors, rowStart: from, rowEnd: to };
  const rows = await said(path, parquetReadObjects({ ...options, useOffsetIndex: true }));
  return rows.map((row, line) => {
    const own = id === undefined ? undefined : jsonOf(row[id]);
    const known = { line, ...(own !== undefined && { id: own }) };
    try {
      const inputs = Object.entries(fields).map(([input, field]) => {
        return [input, numbersOf(row[field], field, widths[input]!)];
      });
      return { ...known, x: Object.fromEntries(inputs) as Record<string, Float32Array> };
    } catch (error) {
      if (!(error instanceof GatefoldError)) throw error;
      return { ...known, error: error.message };
    }
  });
}

function jsonOf(id: unknown): string | undefined {
  if (id === null || id === undefined) return undefined;
  return typeof id === 'bigint' ? String(id) : JSON.stringify(id);
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || ArrayBuffer.isView(value);

/** A list of numbers, or of lists of `width` of them; what is not there is NaN. */
function numbersOf(list: unknown, field: string, width: number): Float32Array {
  if (!isList(list)) return malformed(`it has no list "${field}"`);
  const number = (value: unknown): number => (value === null ? NaN : Number(value));
  if (!isList(list[0])) return Float32Array.from(list, number);
  const all = new Float32Array(list.length * width);
  for (let step = 0; step < list.length; step++) {
    const row = list[step];
    const count = isList(row) ? row.length : 0;
    if (count !== width) {
      malformed(`step ${step} has ${count} numbers, and the model takes ${width}`);
    }
    for (let k = 0; k < width; k++) all[step * width + k] = number((row as ArrayLike<unknown>)[k]);
  }
  return all;
}
