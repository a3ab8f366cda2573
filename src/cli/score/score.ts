import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { GatefoldError } from '../../base/errors.ts';
import { saveModel } from '../../formats/gatefold.ts';
import type { Model } from '../../model/model.ts';
import { Packer } from '../../node/score/batch.ts';
import { hire, sharedModel } from '../../node/score/crew.ts';
import { STATUS_NOT_WRITTEN, fail, reasonOf } from '../failure.ts';
import { openModel, readOptions } from '../models/open.ts';
import type { WiringOptions } from '../models/open.ts';
import { say, warn } from '../output.ts';
import { checkWritable } from '../save.ts';
import { openPart, readJournal, standardOutput } from './part.ts';
import type { End, Journal, Sink } from './part.ts';
import { Meter } from './meter.ts';
import { NPY_HEADER, assemble, columnsOf, npyHeader } from './archive.ts';
import { FORMATS, OF_ALL, OF_FILES, headerOf } from './results.ts';
import type { Format } from './results.ts';
import { openSource } from './sources.ts';
import type { PieceRead, Source } from './sources.ts';
import type { PieceScore, ScoreTask } from './worker.ts';

export interface ScoreCommandOptions extends WiringOptions {
  readonly out: string;
  readonly from?: 'ndjson' | 'csv';
  readonly to?: Format;
  readonly columns?: readonly string[];
  readonly id?: string;
  readonly workers?: number;
  readonly batch: number;
  readonly chunk: number;
  readonly keep: number;
  readonly shard?: { readonly index: number; readonly count: number };
  readonly skipBad?: boolean;
  readonly simd: 'auto' | 'deterministic';
}

/** Bad records to name; the others are counted. */
const NAMED = 20;

/** A piece on its way through the workers. */
interface Piece {
  readonly read: PieceRead;
  readonly source: number;
  readonly answer: Promise<PieceScore>;
}

function formatOf({ out, to }: ScoreCommandOptions): Format {
  if (to) return to;
  const end = extname(out).toLowerCase().slice(1);
  if (out === '-' || end === 'ndjson' || end === 'jsonl') return 'ndjson';
  if ((FORMATS as readonly string[]).includes(end)) return end as Format;
  return fail(`name the format by --to ${FORMATS.join(', ')}, or end ${out} in one of these`);
}

/** The command `gatefold score`; gives the exit status. */
export async function score(
  path: string,
  inputs: readonly string[],
  options: ScoreCommandOptions,
): Promise<number> {
  const { out, simd } = options;
  const format = formatOf(options);
  if (out !== '-')
    await checkWritable(
      out,
      inputs.filter((input) => input !== '-'),
    );
  else if (OF_FILES.includes(format))
    fail(`a .${format} file begins with its number of rows: name a file by --out`);
  const opened = await openModel(path, await readOptions(options));
  const model = await sharedModel((engine) => opened.load(engine), { simd, fastLane: true });
  try {
    if (!OF_ALL.includes(format) && model.outputs.length > 1) {
      fail(
        `${format} holds one output, and the model has ${model.outputs.length}: choose --to ${OF_ALL.join(' or ')}`,
      );
    }
    const sources: Source[] = [];
    for (const input of inputs) sources.push(await openSource(input, model, options));
    return await new Run(model, sources, format, options).run();
  } finally {
    model.engine.dispose();
  }
}

/** Beside the bundle of the command. */
const createWorker = (): Worker =>
  new Worker(new URL('./cli/score-worker.js', import.meta.url), { execArgv: [] });

class Run {
  readonly #model: Model;
  readonly #sources: readonly Source[];
  readonly #format: Format;
  readonly #options: ScoreCommandOptions;
  readonly #hasIds: boolean;
  readonly #key: string;
  #sink: Sink = standardOutput;
  #journal: Journal;
  #keptMs = performance.now();
  #meter!: Meter;

  constructor(
    model: Model,
    sources: readonly Source[],
    format: Format,
    options: ScoreCommandOptions,
  ) {
    this.#model = model;
    this.#sources = sources;
    this.#format = format;
    this.#options = options;
    this.#hasIds = sources.some(({ hasIds }) => hasIds);
    const { shard, skipBad } = options;
    const { variant } = model.engine;
    const identities = sources.map(({ identity }) => identity);
    const what = JSON.stringify([identities, format, shard, skipBad, variant]);
    this.#key = createHash('sha256').update(saveModel(model)).update(what).digest('hex');
    const start = { source: 0, position: 0, line: 0, bytes: 0, records: 0, skipped: 0, rows: 0 };
    this.#journal = { key: this.#key, ...start };
  }

  async run(): Promise<number> {
    const { out, batch, workers = availableParallelism() } = this.#options;
    const canResume = out !== '-' && this.#sources.every(({ identity }) => identity !== undefined);
    if (out !== '-') {
      const kept = canResume ? await readJournal(out, this.#key) : undefined;
      this.#sink = await openPart(out, kept?.bytes);
      if (kept) {
        warn(`going on after ${kept.records.toLocaleString('en')} records`);
        this.#journal = kept;
      }
    }
    const packer = new Packer(this.#model, batch);
    const task: Omit<ScoreTask, 'shared'> = {
      batch,
      bytes: packer.bytes,
      format: this.#format,
      hasIds: this.#hasIds,
    };
    const pool = hire<PieceScore>(this.#model, workers, packer.bytes, createWorker, task);
    // Idle workers keep no process alive, but a run does.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      if (this.#journal.bytes === 0) await this.#begin();
      const waiting: Piece[] = [];
      for await (const { read, source } of this.#pieces()) {
        const answer = pool.run(() => ({ message: read.piece }));
        answer.catch(() => {});
        waiting.push({ read, source, answer });
        if (waiting.length > 2 * workers) await this.#take(waiting.shift()!);
        if (!this.#sink.isOpen) return 0;
      }
      for (const piece of waiting) await this.#take(piece);
      const { skipped } = this.#journal;
      await this.#sink.finish(this.#end());
      this.#meter.end();
      if (skipped > NAMED) warn(`${skipped.toLocaleString('en')} bad records in all`);
      if (out !== '-') say(`${out}: ${this.#meter.summary(this.#journal.records)}\n`);
      return 0;
    } catch (error) {
      this.#meter?.end();
      if (error instanceof GatefoldError || (error as NodeJS.ErrnoException).code === undefined)
        throw error;
      warn(`cannot write ${out}: ${reasonOf(error)}`);
      return STATUS_NOT_WRITTEN;
    } finally {
      clearInterval(alive);
      await this.#sink.close();
      await pool.end();
    }
  }

  /** What is known once all results are there. */
  #end(): End {
    const { outputSize } = this.#model;
    if (this.#format === 'npy') {
      return { header: npyHeader('<f4', [this.#journal.rows, outputSize]) };
    }
    if (this.#format !== 'npz') return {};
    const columns = columnsOf(this.#model, this.#hasIds);
    return { assemble: (part, bytes, whole) => assemble(part, bytes, whole, columns) };
  }

  /** What stands before all results. */
  async #begin(): Promise<void> {
    if (this.#format === 'csv') await this.#write(Buffer.from(headerOf(this.#model, this.#hasIds)));
    if (this.#format === 'npy') await this.#write(new Uint8Array(NPY_HEADER));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#sink.write(bytes);
    this.#journal = { ...this.#journal, bytes: this.#journal.bytes + bytes.length };
  }

  /** All pieces from where the journal stands. */
  async *#pieces(): AsyncGenerator<{ read: PieceRead; source: number }> {
    const { index, count } = this.#options.shard ?? { index: 0, count: 1 };
    const ranges = await Promise.all(this.#sources.map((source) => source.range(index, count)));
    const { source: first, position } = this.#journal;
    const starts = ranges.map(({ from }, k) => (k === first && position > 0 ? position : from));
    const left = ranges.map(({ to }, k) => ({ from: k < first ? to : starts[k]!, to }));
    const sizes = this.#sources.map((source, k) => source.bytes(left[k]!));
    const isKnown = sizes.every((size) => size !== undefined);
    this.#meter = new Meter(isKnown ? sizes.reduce((sum, size) => sum! + size!, 0) : undefined);
    for (const [k, source] of this.#sources.entries()) {
      if (k < first || left[k]!.from >= left[k]!.to) continue;
      for await (const read of source.pieces(left[k]!)) yield { read, source: k };
    }
  }

  /** Writes the results of a piece, which are those after all before. */
  async #take({ read, source, answer }: Piece): Promise<void> {
    const { bytes, records, rows, bad, lines } = await answer;
    const { unit, firstLine } = this.#sources[source]!;
    const isSame = this.#journal.source === source;
    const line = isSame ? this.#journal.line : 0;
    for (const one of bad) {
      const at = this.#nameOf(source, line + one.line + firstLine, one.id);
      if (!this.#options.skipBad)
        fail(`${at}: ${one.error}; mend it, or pass over such ${unit}s by --skip-bad`);
      const skipped = this.#journal.skipped + 1;
      if (skipped <= NAMED) warn(`${at}: ${one.error}; skipped`);
      this.#journal = { ...this.#journal, skipped };
    }
    await this.#write(bytes);
    this.#journal = {
      ...this.#journal,
      source,
      position: read.next,
      line: line + lines,
      records: this.#journal.records + records,
      rows: this.#journal.rows + rows,
    };
    this.#meter.add(records, read.bytes);
    if (performance.now() - this.#keptMs < 1e3 * this.#options.keep) return;
    await this.#sink.keep(this.#journal);
    this.#keptMs = performance.now();
  }

  /** Where a bad record is. */
  #nameOf(source: number, line: number, id: string | undefined): string {
    const { name, unit } = this.#sources[source]!;
    if (unit === 'file' && id) return JSON.parse(id) as string;
    const { index = 0, count = 1 } = this.#options.shard ?? {};
    const of = index > 0 && unit === 'line' ? ` of part ${index}/${count}` : '';
    return `${name}, ${unit} ${line}${of}`;
  }
}
