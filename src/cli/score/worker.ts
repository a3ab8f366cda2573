/** What the workers of `gatefold score` run: from bytes of records to bytes of results. */

import { openSync, readFileSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { GatefoldError } from '../../base/errors.ts';
import type { Model } from '../../model/model.ts';
import { Packer, runPacked } from '../../node/score/batch.ts';
import type { Sequence } from '../../node/score/batch.ts';
import { serve } from '../../node/score/pool.ts';
import { register } from '../../ops/index.ts';
import { program } from '../../ops/program/program.ts';
import { attachModel } from '../../threads/share.ts';
import type { SharedModel } from '../../threads/share.ts';
import { readWav } from '../models/wav.ts';
import { NEWLINE } from './cursor.ts';
import { readParquet } from './parquet.ts';
import { readArray, readText } from './records.ts';
import type { FilePiece, Piece, RecordRead, TextPiece } from './records.ts';
import { printers } from './results.ts';
import type { Result } from './result.ts';
import type { Format } from './results.ts';

register(program);

/** What a worker is told once. */
export interface ScoreTask {
  readonly shared: SharedModel;
  readonly batch: number;
  readonly bytes: number;
  readonly format: Format;
  readonly hasIds: boolean;
}

/** What a piece came to. */
export interface PieceScore {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly records: number;
  readonly steps: number;
  /** Lines, rows or files of it. */
  readonly lines: number;
  /** Rows of the first output. */
  readonly rows: number;
  /** Records without a result. */
  readonly bad: readonly { readonly line: number; readonly id?: string; readonly error: string }[];
}

interface Entry {
  readonly record: RecordRead;
  readonly sequence: Sequence;
}

function* readSound(paths: readonly string[], input: string, width: number): Generator<RecordRead> {
  for (const [line, path] of paths.entries()) {
    const id = JSON.stringify(path);
    try {
      const { samples, channels } = readWav(readFileSync(path));
      if (channels === width) yield { line, id, x: { [input]: samples } };
      else yield { line, id, error: `it has ${channels} channels, and the model takes ${width}` };
    } catch (error) {
      yield { line, id, error: (error as Error).message };
    }
  }
}

const descriptors = new Map<string, number>();
/** Takes the bytes of one piece after the other. */
let buffer = new Uint8Array(0);

function readFilePiece({ layout, path, from, to }: FilePiece): TextPiece {
  let descriptor = descriptors.get(path);
  if (descriptor === undefined) descriptors.set(path, (descriptor = openSync(path, 'r')));
  if (buffer.length < to - from) buffer = new Uint8Array(to - from);
  let length = 0;
  for (let got = 1; got > 0 && length < to - from; length += got) {
    got = readSync(descriptor, buffer, length, to - from - length, from + length);
  }
  return { kind: 'text', layout, bytes: buffer.subarray(0, length) };
}

function recordsOf(
  piece: Exclude<Piece, FilePiece>,
  model: Model,
): Iterable<RecordRead> | Promise<RecordRead[]> {
  if (piece.kind === 'parquet') return readParquet(piece);
  if (piece.kind === 'text') return readText(piece.bytes, piece.layout);
  if (piece.kind === 'array') return readArray(piece);
  return readSound(piece.paths, piece.input, model.inputSize);
}

/** The outputs of each entry; of one that cannot be run why. */
function runAll(
  model: Model,
  packer: Packer,
  entries: readonly Entry[],
): (Float32Array[] | string)[] {
  const sequences = entries.map(({ sequence }) => sequence);
  try {
    const packed = packer.pack(sequences);
    return packer.unpack(packed, runPacked(model, packed), entries.length);
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    if (entries.length === 1) return [error.message];
    const half = entries.length >> 1;
    return [entries.slice(0, half), entries.slice(half)].flatMap((part) =>
      runAll(model, packer, part),
    );
  }
}

async function scorePiece(
  given: Piece,
  model: Model,
  packer: Packer,
  task: ScoreTask,
): Promise<PieceScore> {
  const piece = given.kind === 'file' ? readFilePiece(given) : given;
  const bad: { line: number; id?: string; error: string }[] = [];
  const entries: Entry[] = [];
  for (const record of await recordsOf(piece, model)) {
    const { x, line, id } = record;
    try {
      if (x) entries.push({ record: { line, id }, sequence: packer.read(x, /* isOwn */ true) });
      else bad.push({ line, id, error: record.error! });
    } catch (error) {
      if (!(error instanceof GatefoldError)) throw error;
      bad.push({ line, id, error: error.message });
    }
  }
  const results: (Result | undefined)[] = entries.map(() => undefined);
  for (const batch of packer.plan(entries.map(({ sequence }) => sequence.steps))) {
    const outputs = runAll(
      model,
      packer,
      batch.map((k) => entries[k]!),
    );
    for (const [place, k] of batch.entries()) {
      const own = outputs[place]!;
      const { line, id } = entries[k]!.record;
      if (typeof own === 'string') bad.push({ line, id, error: own });
      else results[k] = { id, outputs: own };
    }
  }
  const good = results.filter((result) => result !== undefined);
  bad.sort((a, b) => a.line - b.line);
  return {
    bytes: printers[task.format](good, model, task.hasIds),
    records: good.length,
    steps: entries.reduce((sum, { sequence }) => sum + sequence.steps, 0),
    rows: good.reduce((sum, { outputs: [own] }) => sum + own!.length, 0) / model.outputSize,
    bad,
    lines: linesOf(piece),
  };
}

function linesOf(piece: Exclude<Piece, FilePiece>): number {
  if (piece.kind === 'array') return piece.counts.length;
  if (piece.kind === 'parquet') return piece.to - piece.from;
  if (piece.kind === 'sound') return piece.paths.length;
  const { buffer, byteOffset, length } = piece.bytes;
  // A Buffer looks for a byte several times as fast.
  const bytes = Buffer.from(buffer, byteOffset, length);
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

if (parentPort) {
  serve(parentPort, (task: ScoreTask) => {
    const model = attachModel(task.shared);
    const packer = new Packer(model, task.batch, task.bytes);
    return async (piece: Piece) => {
      const answer = await scorePiece(piece, model, packer, task);
      return { answer, transfer: [answer.bytes.buffer] };
    };
  });
}
