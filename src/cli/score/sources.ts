/** What is scored, cut into pieces: files of lines, arrays of NumPy, Parquet, folders of sound. */

import { fstatSync, openSync, read, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Model } from '../../model/model.ts';
import { fail, reasonOf } from '../failure.ts';
import { readArrays } from '../models/arrays.ts';
import type { NumberArray } from '../models/files.ts';
import { NEWLINE } from './cursor.ts';
import { textsOf } from './records.ts';
import type { Fields, JsonLayout, Layout, Piece, TableLayout } from './records.ts';
import { columnsOf, groupsOf, openParquet } from './parquet.ts';

export interface SourceOptions {
  readonly from?: 'ndjson' | 'csv';
  /** Columns or fields of the inputs, and that of the id: names, or numbers from 1. */
  readonly columns?: readonly string[];
  readonly id?: string;
  /** Bytes of a piece. */
  readonly chunk: number;
}

/** A part of a source, from one position to another: bytes, rows or files. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface PieceRead {
  readonly piece: Piece;
  /** Where the next one begins. */
  readonly next: number;
  readonly bytes: number;
}

export interface Source {
  readonly name: string;
  /** What a record is called in messages, counted from 1 and from `firstLine`. */
  readonly unit: 'line' | 'row' | 'file';
  readonly firstLine: number;
  readonly hasIds: boolean;
  /** What it is, so that another is not taken for it. */
  readonly identity: unknown;
  /** Positions of part `index` of `count` of it. */
  range(index: number, count: number): Promise<Range>;
  /** Bytes of a part; undefined where nobody knows. */
  bytes(range: Range): number | undefined;
  pieces(range: Range): AsyncGenerator<PieceRead>;
}

const readInto = promisify(read);
const HEAD = 2 ** 16;
const MAX_LINE = 2 ** 30;
const SPACES = new Set([32, 9, 10, 13]);

/** Opens an input, `-` for the standard input. */
export async function openSource(
  path: string,
  model: Model,
  options: SourceOptions,
): Promise<Source> {
  if (path === '-') return TextSource.open('-', 0, model, options);
  try {
    if (statSync(path).isDirectory()) return soundIn(path, model, options);
    const end = extname(path).toLowerCase();
    if (end === '.wav') return soundOf(path, [path], model, options);
    if (end === '.parquet') return await rowsOf(path, model, options);
    if (end === '.npy' || end === '.npz') return await arraysOf(path, model, options);
    return await TextSource.open(path, openSync(path, 'r'), model, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return fail(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

function inputOf({ inputs }: Model, what: string): string {
  if (inputs.length > 1) {
    fail(
      `${what} has one input, and the model takes ${inputs.map(({ name }) => name).join(', ')}: give lines of JSON`,
    );
  }
  return inputs[0]!.name;
}

/** Lines of JSON, or a table. */
class TextSource implements Source {
  readonly name: string;
  readonly unit = 'line';
  readonly firstLine: number;
  readonly hasIds: boolean;
  readonly identity: unknown;
  readonly #descriptor: number;
  readonly #layout: Layout;
  readonly #size: number | undefined;
  /** What has been read of the standard input, which is read once. */
  readonly #head: Uint8Array | undefined;
  readonly #start: number;
  readonly #chunk: number;

  private constructor(
    name: string,
    descriptor: number,
    head: Uint8Array,
    { layout, start, firstLine }: { layout: Layout; start: number; firstLine: number },
    chunk: number,
  ) {
    const stats = fstatSync(descriptor);
    this.name = name === '-' ? 'the standard input' : name;
    this.#descriptor = descriptor;
    this.#layout = layout;
    this.#size = name !== '-' && stats.isFile() ? stats.size : undefined;
    this.#head = this.#size === undefined ? head : undefined;
    this.#start = start;
    this.#chunk = chunk;
    this.firstLine = firstLine;
    this.hasIds = layout.id !== undefined;
    this.identity =
      this.#size === undefined
        ? undefined
        : { name, size: this.#size, time: stats.mtimeMs, layout };
  }

  static async open(
    name: string,
    descriptor: number,
    model: Model,
    options: SourceOptions,
  ): Promise<TextSource> {
    let head = new Uint8Array(0);
    for (let size = HEAD; !head.includes(NEWLINE) && size <= MAX_LINE; size *= 2) {
      const more = new Uint8Array(size);
      more.set(head);
      const end = await fill(descriptor, more, head.length, name === '-' ? null : head.length);
      head = more.subarray(0, end);
      if (end < size) break;
    }
    const text = Buffer.from(head)
      .toString()
      .replace(/^\uFEFF/, '');
    const first = head.find((byte) => !SPACES.has(byte));
    const isJson =
      (options.from ?? (first === 0x7b || first === 0x5b ? 'ndjson' : 'csv')) === 'ndjson';
    const found = isJson
      ? { layout: jsonLayout(name, text, model, options), start: 0, firstLine: 1 }
      : tableLayout(name, text, model, options);
    const mark = head[0] === 0xef && head[1] === 0xbb ? 3 : 0;
    const start = found.start + mark;
    return new TextSource(name, descriptor, head, { ...found, start }, options.chunk);
  }

  async range(index: number, count: number): Promise<Range> {
    const size = this.#size;
    if (size === undefined) {
      if (count > 1) fail(`--shard takes files, whose parts can be found: ${this.name} is none`);
      return { from: this.#start, to: Infinity };
    }
    const at = (k: number): Promise<number> =>
      this.#recordFrom(this.#start + Math.floor(((size - this.#start) * k) / count));
    return { from: await at(index), to: index + 1 === count ? size : await at(index + 1) };
  }

  bytes({ from, to }: Range): number | undefined {
    return this.#size === undefined ? undefined : to - from;
  }

  get #isGrouped(): boolean {
    return this.#layout.kind === 'csv' && this.#layout.isStep;
  }

  /** The first byte of a record from a position on. */
  async #recordFrom(position: number): Promise<number> {
    if (position <= this.#start) return this.#start;
    let at = await this.#lineFrom(position);
    if (!this.#isGrouped || at >= this.#size!) return at;
    // The sequence that a part begins within, or with, is the last one of the part before.
    const id = await this.#idAt(at);
    while (at < this.#size! && (await this.#idAt(at)) === id) at = await this.#lineFrom(at + 1);
    return at;
  }

  async #lineFrom(position: number): Promise<number> {
    for (let at = position - 1, bytes = new Uint8Array(HEAD); ; at += bytes.length) {
      const end = await fill(this.#descriptor, bytes, 0, at);
      const found = bytes.subarray(0, end).indexOf(NEWLINE);
      if (found >= 0) return at + found + 1;
      if (end < bytes.length) return this.#size!;
    }
  }

  async #idAt(position: number): Promise<string | undefined> {
    const bytes = new Uint8Array((await this.#lineFrom(position + 1)) - position);
    await fill(this.#descriptor, bytes, 0, position);
    return idOf(bytes, this.#layout as TableLayout);
  }

  pieces(range: Range): AsyncGenerator<PieceRead> {
    return this.#head || this.#isGrouped ? this.#read(range) : this.#cuts(range);
  }

  /** Where lines of a file begin, one in a piece: workers read them. */
  async *#cuts({ from, to }: Range): AsyncGenerator<PieceRead> {
    const [path, layout] = [this.name, this.#layout];
    for (let at = from, next = from; at < to; at = next) {
      const end = at + this.#chunk;
      next = end < to ? Math.min(await this.#lineFrom(end), to) : to;
      const bytes = next - at;
      if (bytes > MAX_LINE) fail(`${path} has a record of more than ${MAX_LINE} bytes`);
      yield { piece: { kind: 'file', layout, path, from: at, to: next }, next, bytes };
    }
  }

  async *#read({ from, to }: Range): AsyncGenerator<PieceRead> {
    let rest: Uint8Array = this.#head?.subarray(this.#start) ?? new Uint8Array(0);
    let position = from;
    let wanted = this.#chunk;
    for (;;) {
      const capacity = Math.min(rest.length + wanted, to - position);
      const bytes = new Uint8Array(new SharedArrayBuffer(Math.max(capacity, rest.length)));
      bytes.set(rest);
      const at = this.#head ? null : position + rest.length;
      const end = await fill(this.#descriptor, bytes, rest.length, at);
      const isEnd = end < bytes.length || position + end >= to;
      const all = bytes.subarray(0, end);
      const cut = isEnd ? end : this.#cut(all);
      rest = all.subarray(cut);
      if (cut === 0 && !isEnd) {
        wanted *= 2;
        if (bytes.length > MAX_LINE)
          fail(`${this.name} has a record of more than ${MAX_LINE} bytes`);
        continue;
      }
      wanted = this.#chunk;
      position += cut;
      const piece = { kind: 'text', layout: this.#layout, bytes: bytes.subarray(0, cut) } as const;
      if (cut > 0) yield { piece, next: position, bytes: cut };
      if (isEnd) return;
    }
  }

  /** Where the last record begins that may not be whole. */
  #cut(bytes: Uint8Array): number {
    let end = bytes.lastIndexOf(NEWLINE) + 1;
    if (!this.#isGrouped || end === 0) return end;
    const layout = this.#layout as TableLayout;
    let id: string | undefined;
    for (let isLast = true; end > 0; isLast = false) {
      const start = end < 2 ? 0 : bytes.lastIndexOf(NEWLINE, end - 2) + 1;
      const own = idOf(bytes.subarray(start, end), layout);
      if (isLast) id = own;
      else if (own !== id) return end;
      end = start;
    }
    return 0;
  }
}

/** Reads until the bytes are full, or nothing more comes; gives the end. */
async function fill(
  descriptor: number,
  bytes: Uint8Array,
  from: number,
  position: number | null,
): Promise<number> {
  let at = from;
  while (at < bytes.length) {
    const place = position === null ? null : position + at - from;
    try {
      const { bytesRead } = await readInto(descriptor, bytes, at, bytes.length - at, place);
      if (bytesRead === 0) break;
      at += bytesRead;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') break;
      if (code !== 'EAGAIN') throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return at;
}

function idOf(line: Uint8Array, { id, separator }: TableLayout): string | undefined {
  if (id === undefined) return undefined;
  return textsOf(
    Buffer.from(line)
      .toString()
      .replace(/\r?\n$/, ''),
    separator,
  )[id];
}

const ID_NAMES = ['id', 'key', 'name', 'uuid'];
const INPUT_NAMES = ['x', 'input', 'inputs', 'sequence', 'features', 'values', 'tokens', 'data'];

const widthsOf = ({ inputs }: Model): Record<string, number> =>
  Object.fromEntries(inputs.map(({ name, size }) => [name, size]));

/** Which fields of lines of JSON are the inputs, by the first line. */
function jsonLayout(path: string, text: string, model: Model, options: SourceOptions): JsonLayout {
  const line = text.split('\n').find((one) => one.trim() !== '') ?? '[]';
  let first: unknown;
  try {
    first = JSON.parse(line.replace(/\b(?:NaN|-?Infinity)\b/g, 'null'));
  } catch {
    return fail(`${path} expected lines of JSON, or a table: its first line is neither`);
  }
  if (Array.isArray(first)) {
    inputOf(model, 'a list of a line');
    return { kind: 'ndjson', fields: {}, widths: widthsOf(model) };
  }
  const keys = Object.keys(first as object);
  const lists = keys.filter((key) => Array.isArray((first as Record<string, unknown>)[key]));
  return {
    kind: 'ndjson',
    ...fieldsOf(`${path}: its first line`, { keys, lists }, model, options),
  };
}

/** Which of the lists that records have are the inputs, and which field is the id. */
function fieldsOf(
  what: string,
  { keys, lists }: { readonly keys: readonly string[]; readonly lists: readonly string[] },
  model: Model,
  options: SourceOptions,
): Fields {
  const names = model.inputs.map(({ name }) => name);
  const { columns } = options;
  if (columns && columns.length !== names.length) {
    fail(`--columns expected ${names.length} fields, one for each of ${names.join(', ')}`);
  }
  const guess = [...names, ...INPUT_NAMES].find((name) => lists.includes(name));
  const only = guess ?? (lists.length === 1 ? lists[0]! : undefined);
  const fields = names.map((name, k): [string, string] => {
    const field = columns?.[k] ?? (names.length > 1 ? name : only);
    if (field !== undefined && lists.includes(field)) return [name, field];
    const which = field === undefined ? `of ${lists.join(', ') || 'its fields'}` : `"${field}"`;
    return fail(`${what} has no list ${which} that is the input ${name}: name it by --columns`);
  });
  const id = options.id ?? ID_NAMES.find((name) => keys.includes(name) && !lists.includes(name));
  if (id !== undefined && !keys.includes(id)) fail(`${what} has no field "${id}"`);
  return {
    fields: Object.fromEntries(fields),
    ...(id !== undefined && { id }),
    widths: widthsOf(model),
  };
}

/** Rows of a Parquet file, a sequence each. */
async function rowsOf(path: string, model: Model, options: SourceOptions): Promise<Source> {
  const parquet = await openParquet(path);
  const fields = fieldsOf(path, columnsOf(parquet), model, options);
  const groups = groupsOf(parquet, Object.values(fields.fields));
  const count = groups.at(-1)?.to ?? 0;
  const { size, mtimeMs: time } = statSync(path);
  const bytesIn = ({ from, to }: Range): number =>
    groups.reduce((sum, group) => {
      const rows = Math.min(to, group.to) - Math.max(from, group.from);
      return rows > 0 ? sum + (group.bytes * rows) / (group.to - group.from) : sum;
    }, 0);
  return {
    name: path,
    unit: 'row',
    firstLine: 1,
    hasIds: fields.id !== undefined,
    identity: { path, size, time, fields },
    range: async (index, parts) => ({
      from: Math.floor((count * index) / parts),
      to: Math.floor((count * (index + 1)) / parts),
    }),
    bytes: bytesIn,
    async *pieces({ from, to }) {
      for (const group of groups) {
        // Where no index says where rows are, all of a group are decoded to find some.
        const parts = group.canBeCut ? Math.ceil(group.bytes / options.chunk) : 1;
        const step = Math.max(1, Math.ceil((group.to - group.from) / parts));
        const end = Math.min(to, group.to);
        for (let at = Math.max(from, group.from), next; at < end; at = next) {
          next = Math.min(at + step, end);
          const piece = { kind: 'parquet', path, ...fields, from: at, to: next } as const;
          yield { piece, next, bytes: bytesIn({ from: at, to: next }) };
        }
      }
    },
  };
}

/** How a table is read, by its first two lines. */
function tableLayout(
  path: string,
  text: string,
  model: Model,
  options: SourceOptions,
): { layout: TableLayout; start: number; firstLine: number } {
  const input = inputOf(model, 'a table');
  const [first = '', second = ''] = text.split('\n');
  const counts = [',', ';', '\t', ' '].map((mark) => [first.split(mark).length, mark] as const);
  const separator = counts.reduce((best, own) => (own[0] > best[0] ? own : best))[1];
  const titles = textsOf(first.replace(/\r$/, ''), separator);
  const isNumber = (cell: string): boolean => cell === '' || !Number.isNaN(Number(cell));
  const cells = textsOf(second.replace(/\r$/, ''), separator);
  const isText = titles.map((title) => !isNumber(title) && !/^-?(?:nan|inf)/i.test(title));
  // A first line of names: more of its cells are text than of the next one's.
  const texts = cells.filter((cell) => !isNumber(cell)).length;
  const hasNames = isText.filter(Boolean).length > (second === '' ? 0 : texts);
  const columnOf = (name: string): number => {
    const named = hasNames ? titles.indexOf(name) : -1;
    const at = named >= 0 ? named : /^[1-9]\d*$/.test(name) ? Number(name) - 1 : -1;
    if (at >= 0 && at < titles.length) return at;
    return fail(
      `${path} has no column "${name}": it has ${hasNames ? titles.join(', ') : `columns 1 to ${titles.length}`}`,
    );
  };
  const guess = ID_NAMES.find((name) => hasNames && titles.includes(name));
  const idName = options.id ?? guess;
  const firstText = (hasNames ? cells : titles).findIndex((cell) => !isNumber(cell));
  const id = idName === undefined ? (firstText < 0 ? undefined : firstText) : columnOf(idName);
  const columns =
    options.columns?.map(columnOf) ?? [...titles.keys()].filter((column) => column !== id);
  const width = model.inputSize;
  // As many columns as the model has features: a line is a step. One feature: a line is a sequence.
  const isStep = columns.length === width && (width > 1 || id !== undefined || titles.length === 1);
  if (!isStep && hasNames === false && columns.length % width > 0) {
    fail(
      `${path} has ${columns.length} columns of numbers, and the model takes steps of ${width}: name them by --columns`,
    );
  }
  const start = hasNames ? Buffer.byteLength(first) + 1 : 0;
  const layout: TableLayout = {
    kind: 'csv',
    separator,
    isStep,
    columns,
    ...(id !== undefined && { id }),
    columnCount: titles.length,
    input,
  };
  return { layout, start, firstLine: hasNames ? 2 : 1 };
}

/**
 * Sequences of a file of NumPy: [N, T, I], [N, T] of single numbers, or [T, I], and `lengths`. With
 * several of these [T, I] has one sequence after the other, as `gatefold score` writes them.
 */
async function arraysOf(path: string, model: Model, options: SourceOptions): Promise<Source> {
  const input = inputOf(model, 'a file of arrays');
  const { arrays } = await readArrays(path);
  const lengths = arrays.get('lengths');
  const named = options.columns?.[0] ?? [input, ...INPUT_NAMES].find((name) => arrays.has(name));
  const idName = options.id ?? ID_NAMES.find((name) => arrays.has(name));
  const ids = idName === undefined ? undefined : arrays.get(idName)?.data;
  const others = [...arrays.keys()].filter((name) => name !== 'lengths' && name !== idName);
  const name = named ?? (others.length === 1 ? others[0]! : undefined);
  const found = name === undefined ? undefined : arrays.get(name);
  if (!found) {
    return fail(
      `${path} has no array "${name ?? input}": it has ${others.join(', ')}; name one by --columns`,
    );
  }
  const width = model.inputSize;
  const { shape, data } = found;
  const isFlat = width === 1 && (shape.length === 2 || shape.length === 1);
  const fits = isFlat || ((shape.length === 3 || shape.length === 2) && shape.at(-1) === width);
  if (!fits) {
    fail(
      `${path}: "${name}" has the shape [${shape.join(', ')}]; the model takes [N, T${width > 1 ? `, ${width}` : ''}]`,
    );
  }
  const isOne = isFlat ? shape.length === 1 : shape.length === 2;
  const isJoined = isOne && lengths !== undefined && lengths.data.length !== 1;
  const count = isJoined ? lengths.data.length : isOne ? 1 : shape[0]!;
  const size = isJoined ? data.length : data.length / Math.max(count, 1);
  const counts = countsOf(path, lengths, count, size, width);
  if (idName !== undefined && ids?.length !== count) {
    fail(`${path}: "${idName}" has ${ids?.length ?? 'no'} ids of ${count} rows`);
  }
  const places = [0];
  for (const own of counts) places.push(places.at(-1)! + (isJoined ? own : size));
  if (places.at(-1) !== data.length) {
    fail(`${path}: "lengths" has ${places.at(-1)! / width} steps, and "${name}" ${shape[0]}`);
  }
  const bytesIn = ({ from, to }: Range): number => 4 * (places[to]! - places[from]!);
  const { size: bytes, mtimeMs: time } = statSync(path);
  return {
    name: path,
    unit: 'row',
    firstLine: 1,
    hasIds: true,
    identity: { path, bytes, time, name },
    range: async (index, parts) => ({
      from: Math.floor((count * index) / parts),
      to: Math.floor((count * (index + 1)) / parts),
    }),
    bytes: bytesIn,
    async *pieces({ from, to }) {
      for (let first = from, next = from; first < to; first = next) {
        do next++;
        while (next < to && bytesIn({ from: first, to: next + 1 }) <= options.chunk);
        const start = places[first]!;
        const piece = {
          kind: 'array' as const,
          data: Float32Array.from((data as Float32Array).slice(start, places[next])),
          starts: places.slice(first, next).map((place) => place - start),
          counts: counts.slice(first, next),
          input,
          ids: Array.from({ length: next - first }, (_, k) => ids?.[first + k] ?? first + k),
        };
        yield { piece, next, bytes: bytesIn({ from: first, to: next }) };
      }
    },
  };
}

function countsOf(
  path: string,
  lengths: NumberArray | undefined,
  count: number,
  size: number,
  width: number,
): number[] {
  if (!lengths) return Array.from({ length: count }, () => size);
  if (lengths.data.length !== count)
    fail(`${path}: "lengths" has ${lengths.data.length} numbers of ${count} rows`);
  return Array.from(lengths.data, (length) => Math.max(0, Math.min(length * width, size)));
}

function soundIn(folder: string, model: Model, options: SourceOptions): Source {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const paths = names.filter((name) => /\.wav$/i.test(name)).sort();
  if (paths.length === 0) fail(`${folder} has no .wav files`);
  return soundOf(
    folder,
    paths.map((name) => join(folder, name)),
    model,
    options,
  );
}

function soundOf(
  name: string,
  paths: readonly string[],
  model: Model,
  { chunk }: SourceOptions,
): Source {
  const input = inputOf(model, 'sound');
  const sizes = paths.map((path) => statSync(path).size);
  const sum = (from: number, to: number): number =>
    sizes.slice(from, to).reduce((all, size) => all + size, 0);
  return {
    name,
    unit: 'file',
    firstLine: 1,
    hasIds: true,
    identity: paths.map((path, k) => [path, sizes[k], statSync(path).mtimeMs]),
    range: async (index, parts) => ({
      from: Math.floor((paths.length * index) / parts),
      to: Math.floor((paths.length * (index + 1)) / parts),
    }),
    bytes: ({ from, to }) => sum(from, to),
    async *pieces({ from, to }) {
      for (let first = from; first < to;) {
        let next = first + 1;
        while (next < to && sum(first, next + 1) <= chunk) next++;
        const piece = { kind: 'sound' as const, paths: paths.slice(first, next), input };
        yield { piece, next, bytes: sum(first, next) };
        first = next;
      }
    },
  };
}
