/** Scoring: a shard becomes a file of results, and the parent of all shards an index of them. */

import { checkHash, hashOf, hashOfData } from './blobs.ts';
import type { Context } from './context.ts';
import { refuse } from './errors.ts';
import { MAX_SHARDS } from './jobs.ts';
import type { ScoreEnd, ScoreShard, ScoredShard, ShardInput, Simd } from './jobs.ts';
import { lineOf } from './lines.ts';
import { cut, readShard } from './source.ts';
import type { Scored } from './scorer.ts';

/** Bad records of a shard that are named; the others are counted. */
const NAMED = 20;

/** What is to be scored: addresses of files of JSON lines, or one source by index. */
export type Manifest =
  { readonly inputs: readonly string[] } | { readonly source: string; readonly count: number };

export interface ScorePlan {
  readonly end: ScoreEnd;
  readonly shards: readonly ScoreShard[];
}

export interface ScoreOptions {
  /** Hash of the model's blob. */
  readonly model: string;
  /** Address of the folder of the results. */
  readonly output: string;
  readonly simd?: Simd;
  readonly fields?: ScoreShard['fields'];
  readonly skipBad?: boolean;
  /** Bounds of a shard; default 4 MiB and 4,096 records. */
  readonly maxBytes?: number;
  readonly maxRecords?: number;
}

async function inputsOf(
  { stores }: Context,
  manifest: Manifest,
  { maxBytes = 4 * 2 ** 20, maxRecords = 4096 }: ScoreOptions,
): Promise<ShardInput[]> {
  const all: ShardInput[] = [];
  const add = (input: ShardInput): void => {
    if (all.push(input) > MAX_SHARDS) refuse(`more than ${MAX_SHARDS} shards: make them larger`);
  };
  if (typeof manifest === 'object' && manifest !== null && 'source' in manifest) {
    const { source, count } = manifest;
    for (let from = 0; from < count; from += maxRecords) {
      add({ type: 'index', source, from, to: Math.min(count, from + maxRecords) });
    }
    return all;
  }
  if (!Array.isArray(manifest?.inputs)) {
    return refuse('a manifest has "inputs", a list of addresses, or "source" and "count"');
  }
  for (const at of manifest.inputs) {
    for await (const input of cut(stores, at, { maxBytes, maxRecords })) add(input);
  }
  return all;
}

const recordsOf = (input: ShardInput): number =>
  input.type === 'ndjson' ? input.records : input.to - input.from;

const numbered = (shard: number): string => `part-${String(shard).padStart(5, '0')}.ndjson`;

/** Cuts what is to be scored into jobs. The same input gives the same jobs. */
export async function planScore(
  context: Context,
  manifest: Manifest,
  options: ScoreOptions,
): Promise<ScorePlan> {
  const { output, simd = 'auto', skipBad = false, fields = { x: 'x', id: 'id' } } = options;
  const model = checkHash('model', options.model);
  const inputs = await inputsOf(context, manifest, options);
  if (inputs.length === 0) refuse('the manifest has no records');
  const run = hashOfData([model, simd, skipBad, fields, output, inputs]).slice(0, 16);
  const shards = inputs.map((input, shard): ScoreShard => ({
    kind: 'score',
    run,
    shard,
    model,
    simd,
    input,
    fields,
    skipBad,
    output: `${output}/${numbered(shard)}`,
  }));
  const records = inputs.reduce((sum, input) => sum + recordsOf(input), 0);
  const end: ScoreEnd = {
    kind: 'score-end',
    run,
    model,
    simd,
    shards: shards.length,
    records,
    output,
  };
  return { end, shards };
}

/** Scores a shard. Done twice it writes the same bytes to the same place. */
export async function scoreShard(job: ScoreShard, context: Context): Promise<ScoredShard> {
  const { shard, output, skipBad } = job;
  const [{ scorer, outputs }, records] = await Promise.all([
    context.running(job.model, job.simd),
    readShard(job, context.stores, context.sources),
  ]);
  const results = await scorer.score(records);
  if (results.length !== recordsOf(job.input)) {
    refuse(`shard ${shard} has ${results.length} records, and was named with another count`);
  }
  const good = results.filter(({ error }) => error === undefined);
  const bad = [...results.entries()].flatMap(([record, { error }]) =>
    error === undefined ? [] : [{ record, error }],
  );
  if (bad.length > 0 && !skipBad) {
    refuse(`record ${bad[0]!.record} of shard ${shard}: ${bad[0]!.error}`);
  }
  const bytes = Buffer.from(good.map((one: Scored) => lineOf(one, outputs)).join(''));
  await context.stores.write(output, bytes);
  return {
    shard,
    output,
    records: good.length,
    skipped: bad.length,
    bytes: bytes.length,
    sha256: hashOf(bytes),
    bad: bad.slice(0, NAMED),
  };
}

/** A shard without a result, and why. */
export interface SetAside {
  readonly shard: number;
  readonly input: ShardInput;
  readonly reason: string;
}

/** What `index.json` says. */
export interface ScoreIndex {
  readonly run: string;
  readonly model: string;
  readonly simd: Simd;
  readonly records: number;
  readonly skipped: number;
  readonly shards: readonly ScoredShard[];
  readonly setAside: readonly SetAside[];
}

/** Verifies the shards of a run, and writes their index. */
export async function finishScore(
  { run, model, simd, shards, records, output }: ScoreEnd,
  done: readonly ScoredShard[],
  setAside: readonly SetAside[],
  { stores }: Context,
): Promise<ScoreIndex> {
  const all = [...done, ...setAside].map(({ shard }) => shard).sort((a, b) => a - b);
  if (all.length !== shards || all.some((shard, k) => shard !== k)) {
    refuse(`run ${run} has ${shards} shards, and results of ${all.length}`);
  }
  for (const { shard, output: at, bytes } of done) {
    if (at !== `${output}/${numbered(shard)}`) refuse(`shard ${shard} was written to ${at}`);
    const size = await stores.size(at);
    if (size !== bytes) throw new Error(`${at} has ${size} bytes, and was written with ${bytes}`);
  }
  const sum = (key: 'records' | 'skipped'): number =>
    done.reduce((total, own) => total + own[key], 0);
  const missing = setAside.reduce((total, { input }) => total + recordsOf(input), 0);
  const counted = sum('records') + sum('skipped') + missing;
  if (counted !== records) refuse(`run ${run} has ${records} records, and results of ${counted}`);
  const index: ScoreIndex = {
    run,
    model,
    simd,
    records: sum('records'),
    skipped: sum('skipped'),
    shards: done.toSorted((a, b) => a.shard - b.shard),
    setAside: setAside.toSorted((a, b) => a.shard - b.shard),
  };
  await stores.write(`${output}/index.json`, Buffer.from(`${JSON.stringify(index, null, 1)}\n`));
  return index;
}
