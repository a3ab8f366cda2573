/** Records of a piece of input, whatever its format. */

import type { Inputs } from '../../base/tensor.ts';
import { GatefoldError } from '../../base/errors.ts';
import { Cursor, NEWLINE, malformed } from './cursor.ts';

/** Where records have their inputs and their ids. */
export interface Fields {
  /** By the names of the inputs; none where a line is a list. */
  readonly fields: Readonly<Record<string, string>>;
  readonly id?: string;
  /** Numbers of a row of each input. */
  readonly widths: Readonly<Record<string, number>>;
}

/** How lines of JSON are read. */
export interface JsonLayout extends Fields {
  readonly kind: 'ndjson';
}

/** Rows of a Parquet file. */
export interface ParquetPiece extends Fields {
  readonly kind: 'parquet';
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** How a table is read. */
export interface TableLayout {
  readonly kind: 'csv';
  readonly separator: string;
  /** Whether a line is a step, and lines that follow one another with one id are a sequence. */
  readonly isStep: boolean;
  /** Columns of the inputs, and that of the id, from 0. */
  readonly columns: readonly number[];
  readonly id?: number;
  readonly columnCount: number;
  readonly input: string;
}

/** Rows of an array, all alike or of these lengths. */
export interface ArrayPiece {
  readonly kind: 'array';
  readonly data: Float32Array;
  /** Where each sequence begins, and how many numbers it has. */
  readonly starts: readonly number[];
  readonly counts: readonly number[];
  readonly input: string;
  readonly ids: readonly number[];
}

export type Layout = JsonLayout | TableLayout;

/** Bytes of whole lines. */
export interface TextPiece {
  readonly kind: 'text';
  readonly layout: Layout;
  readonly bytes: Uint8Array;
}

/** Those of a file, which the worker reads itself. */
export interface FilePiece {
  readonly kind: 'file';
  readonly layout: Layout;
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** A piece of input. */
export type Piece =
  | TextPiece
  | FilePiece
  | ArrayPiece
  | ParquetPiece
  | { readonly kind: 'sound'; readonly paths: readonly string[]; readonly input: string };

/** A record that was read: its id as JSON, if any, and its inputs, or why it has none. */
export interface RecordRead {
  /** Counted from 0: its first line within the piece, its row, or its file. */
  readonly line: number;
  readonly id?: string;
  readonly x?: Inputs;
  readonly error?: string;
}

/** What went wrong, where it is the fault of the record. */
function reasonOf(error: unknown): string {
  if (error instanceof GatefoldError) return error.message;
  throw error;
}

/** All records of a text. */
export function* readText(bytes: Uint8Array, layout: Layout): Generator<RecordRead> {
  const cursor = new Cursor(bytes);
  if (layout.kind === 'ndjson') yield* readLines(cursor, layout);
  else if (layout.isStep) yield* readSteps(cursor, layout);
  else yield* readRows(cursor, layout);
}

/** Every line that is not empty: its number, at its first byte. */
function* lines(cursor: Cursor): Generator<number> {
  const { bytes } = cursor;
  for (let line = 0; cursor.at < bytes.length; line++) {
    const start = cursor.at;
    const byte = cursor.peek();
    if (byte !== NEWLINE && cursor.at < bytes.length && byte !== 0) {
      cursor.at = start;
      yield line;
    }
    cursor.nextLine();
  }
}

function* readLines(cursor: Cursor, layout: JsonLayout): Generator<RecordRead> {
  const { fields, id, widths } = layout;
  const inputOf = new Map(Object.entries(fields).map(([input, field]) => [field, input]));
  const only = Object.keys(widths)[0]!;
  for (const line of lines(cursor)) {
    const start = cursor.at;
    try {
      const x: Record<string, Float32Array> = {};
      let own: string | undefined;
      const take = (input: string): void => {
        cursor.list(widths[input]!);
        x[input] = cursor.take();
      };
      if (inputOf.size === 0) take(only);
      else {
        cursor.fields((field) => {
          const input = inputOf.get(field);
          if (input !== undefined) return take(input);
          const from = cursor.at;
          cursor.skip();
          if (field === id) own = cursor.text(from, cursor.at);
        });
        const missing = [...inputOf].find(([, input]) => !Object.hasOwn(x, input));
        if (missing) malformed(`it has no "${missing[0]}"`);
      }
      const next = cursor.peek();
      if (next !== NEWLINE && next !== 0 && next !== undefined) {
        malformed(`expected the end of the line at column ${cursor.at - start}`);
      }
      yield { line, ...(own !== undefined && { id: own }), x };
    } catch (error) {
      yield { line, error: reasonOf(error) };
    }
  }
}

/** Cells of a line: where each begins and ends. */
function cellsOf(cursor: Cursor, separator: number): [number, number][] {
  const { bytes } = cursor;
  const cells: [number, number][] = [];
  for (;;) {
    while (bytes[cursor.at] === 32) cursor.at++;
    const start = cursor.at;
    if (bytes[start] === 34) {
      while (++cursor.at < bytes.length) {
        if (bytes[cursor.at] !== 34) continue;
        if (bytes[cursor.at + 1] !== 34) break;
        cursor.at++;
      }
    }
    while (cursor.at < bytes.length && bytes[cursor.at] !== separator) {
      if (bytes[cursor.at] === NEWLINE || bytes[cursor.at] === 0) break;
      cursor.at++;
    }
    let end = cursor.at;
    while (end > start && (bytes[end - 1] === 13 || bytes[end - 1] === 32)) end--;
    cells.push([start, end]);
    if (bytes[cursor.at] !== separator) return cells;
    cursor.at++;
  }
}

/** The cells of a line as text, without their quotes. */
export function textsOf(line: string, separator: string): string[] {
  const cursor = new Cursor(Buffer.from(`${line}\n`));
  return cellsOf(cursor, separator.charCodeAt(0)).map(([from, to]) => plain(cursor.text(from, to)));
}

const plain = (text: string): string =>
  text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;

/** An id of a table as JSON. */
const idOf = (text: string): string =>
  /^-?(?:0|[1-9]\d{0,14})$/.test(text) ? text : JSON.stringify(text);

/** Numbers of the columns of a line to the cursor; gives the id. Empty last cells are none. */
function readRow(cursor: Cursor, layout: TableLayout): string | undefined {
  const { columns, id, columnCount, isStep, separator } = layout;
  const cells = cellsOf(cursor, separator.charCodeAt(0));
  const end = cursor.at;
  if (isStep && cells.length !== columnCount) {
    malformed(`it has ${cells.length} cells, and the first line ${columnCount}`);
  }
  const given = columns.filter((column) => column < cells.length);
  while (!isStep && given.length > 0) {
    const [from, to] = cells[given.at(-1)!]!;
    if (from < to) break;
    given.pop();
  }
  for (const column of given) {
    const [from, to] = cells[column]!;
    const isQuoted = cursor.bytes[from] === 34;
    cursor.at = isQuoted ? from + 1 : from;
    cursor.push(cursor.number());
    if (cursor.at !== (isQuoted ? to - 1 : to)) {
      malformed(
        `expected a number in cell ${column + 1}, got '${cursor.text(from, to).slice(0, 40)}'`,
      );
    }
  }
  cursor.at = end;
  if (id === undefined) return undefined;
  const cell = cells[id] ?? malformed(`it has no cell ${id + 1}, the id`);
  return plain(cursor.text(...cell));
}

function* readRows(cursor: Cursor, layout: TableLayout): Generator<RecordRead> {
  for (const line of lines(cursor)) {
    cursor.length = 0;
    try {
      const id = readRow(cursor, layout);
      const x = { [layout.input]: cursor.take() };
      yield { line, ...(id !== undefined && { id: idOf(id) }), x };
    } catch (error) {
      yield { line, error: reasonOf(error) };
    }
  }
}

function* readSteps(cursor: Cursor, layout: TableLayout): Generator<RecordRead> {
  let first = 0;
  let id: string | undefined;
  let error: string | undefined;
  let isOpen = false;
  const record = (length: number): RecordRead => {
    const own = id === undefined ? {} : { id: idOf(id) };
    const x = { [layout.input]: cursor.take(length) };
    return { line: first, ...own, ...(error === undefined ? { x } : { error }) };
  };
  for (const line of lines(cursor)) {
    const before = cursor.length;
    let own: string | undefined = id;
    let reason: string | undefined;
    try {
      own = readRow(cursor, layout);
    } catch (thrown) {
      reason = reasonOf(thrown);
      cursor.length = before;
    }
    if (isOpen && own !== id) {
      yield record(before);
      error = undefined;
      first = line;
    }
    if (!isOpen) first = line;
    isOpen = true;
    id = own;
    error ??= reason && `line ${line - first + 1} of it: ${reason}`;
  }
  if (isOpen) yield record(cursor.length);
}

/** Records of rows of an array. */
export function* readArray({
  data,
  starts,
  counts,
  input,
  ids,
}: ArrayPiece): Generator<RecordRead> {
  for (const [k, count] of counts.entries()) {
    const x = { [input]: data.subarray(starts[k], starts[k]! + count) };
    yield { line: k, id: String(ids[k]), x };
  }
}
