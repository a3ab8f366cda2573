/** The records of a shard, and how the producer cuts an input into shards. */

import type { Inputs } from 'gatefold/node';
import { checkBytes, hashOf } from './blobs.ts';
import { missing, refuse, show } from './errors.ts';
import { MAX_SHARD_BYTES } from './jobs.ts';
import type { ScoreShard, ShardInput } from './jobs.ts';
import type { Stores } from './store.ts';

/** A record that was read: its id as JSON, if any, and its inputs, or why it has none. */
export interface RecordRead {
  readonly id?: string;
  readonly x?: Inputs;
  readonly error?: string;
}

/** Records by index, from a module that a worker was started with. */
export interface IndexSource {
  readonly count: number;
  /** The inputs of a record. The same index has the same record on every machine. */
  record(index: number): Inputs;
}
export type IndexSources = Readonly<Record<string, IndexSource>>;

const NEWLINE = 10;
const PIECE = 4 * 2 ** 20;

/** Where each line of some bytes ends: after its newline, or with the bytes. */
function* lines(bytes: Uint8Array): Generator<[from: number, to: number]> {
  for (let from = 0; from < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, from);
    const to = newline < 0 ? bytes.length : newline + 1;
    yield [from, to];
    from = to;
  }
}

/** Whether a line has anything. */
const isFilled = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let at = from; at < to; at++) if (bytes[at]! > 32) return true;
  return false;
};

/** Cuts an input at ends of lines, reading it piece by piece. */
export async function* cut(
  stores: Stores,
  at: string,
  { maxBytes, maxRecords }: { readonly maxBytes: number; readonly maxRecords: number },
): AsyncGenerator<ShardInput> {
  const size = (await stores.size(at)) ?? missing(at);
  let rest: Uint8Array = new Uint8Array();
  let start = 0;
  for (let read = 0; read < size;) {
    const piece = await stores.read(at, read, read + PIECE);
    if (piece.length === 0) refuse(`${at} has become shorter while it was read`);
    read += piece.length;
    const bytes = Buffer.concat([rest, piece]);
    const isLast = read >= size;
    let from = 0;
    let end = 0;
    let records = 0;
    const shard = (): ShardInput => {
      const sha256 = hashOf(bytes.subarray(from, end));
      return { type: 'ndjson', at, from: start + from, to: start + end, sha256, records };
    };
    for (const [first, to] of lines(bytes)) {
      // The rest of this line is in the next piece.
      if (to === bytes.length && bytes[to - 1] !== NEWLINE && !isLast) break;
      if (to - first > maxBytes) refuse(`${at} has a line of ${to - first} bytes`);
      if (records === maxRecords || to - from > maxBytes) {
        yield shard();
        [from, records] = [first, 0];
      }
      end = to;
      if (isFilled(bytes, first, to)) records++;
    }
    if (isLast && records > 0) yield shard();
    rest = bytes.subarray(from);
    start += from;
    if (rest.length > MAX_SHARD_BYTES) refuse(`${at} has a line of more than ${rest.length} bytes`);
  }
}

/** The records of a shard, each read when it is asked for. */
export async function readShard(
  { input, fields }: ScoreShard,
  stores: Stores,
  sources: IndexSources,
): Promise<Iterable<RecordRead>> {
  if (input.type === 'index') {
    const source = Object.hasOwn(sources, input.source) ? sources[input.source]! : undefined;
    if (!source) return refuse(`this worker has no source ${input.source}`);
    if (input.to > source.count) refuse(`${input.source} has ${source.count} records`);
    return byIndex(source, input.from, input.to);
  }
  const { at, from, to, sha256 } = input;
  return readLines(checkBytes(at, await stores.read(at, from, to), sha256), fields);
}

function* byIndex(source: IndexSource, from: number, to: number): Generator<RecordRead> {
  for (let index = from; index < to; index++) yield { id: String(index), x: source.record(index) };
}

function* readLines(bytes: Uint8Array, fields: ScoreShard['fields']): Generator<RecordRead> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const [from, to] of lines(buffer)) {
    if (isFilled(buffer, from, to)) yield readLine(buffer.toString('utf8', from, to), fields);
  }
}

function readLine(line: string, fields: ScoreShard['fields']): RecordRead {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { error: 'it is no JSON' };
  }
  if (Array.isArray(value)) return { x: flat(value) };
  if (typeof value !== 'object' || value === null) return { error: 'it is no list and no object' };
  const record = value as Record<string, unknown>;
  const x = Object.hasOwn(record, fields.x) ? record[fields.x] : undefined;
  if (!Array.isArray(x)) return { error: `it has no list ${show(fields.x)}` };
  const id = Object.hasOwn(record, fields.id) ? record[fields.id] : undefined;
  return { x: flat(x), ...(id !== undefined && { id: JSON.stringify(id) }) };
}

/** Numbers of a sequence: one list, or a list of steps. The scoring checks what they are. */
function flat(list: readonly unknown[]): Inputs {
  return (Array.isArray(list[0]) ? list.flat() : list) as unknown as Inputs;
}
