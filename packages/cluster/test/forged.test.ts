/** Jobs that a client with access to Redis makes up: nothing but the stores can be reached. */

import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import type { Job } from 'bullmq';
import { seededRandom } from 'gatefold/node';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hashOf } from '../dist/blobs.js';
import type { RunningWorker } from '../dist/index.js';
import { checkJob } from '../dist/jobs.js';
import { makeCase } from './support/case.ts';
import { Cluster } from './support/cluster.ts';

const SECRET = 'what no job may read';
let cluster: Cluster;
let worker: RunningWorker;
let queue: Queue;
let redis: Redis;
let good: Record<string, unknown>;
let end: Record<string, unknown>;
let train: Record<string, unknown>;
let trainEnd: Record<string, unknown>;

const tree = (): string[] =>
  (readdirSync(cluster.folder, { recursive: true }) as string[])
    .filter((name) => !name.startsWith('out/'))
    .sort();

async function ended(data: unknown, name = 'score'): Promise<Job> {
  const job = await queue.add(name, data, { attempts: 3 });
  for (;;) {
    const state = await job.getState();
    if (state === 'failed' || state === 'completed') return (await queue.getJob(job.id!))!;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

beforeAll(async () => {
  cluster = await Cluster.start();
  const { model, lines } = await makeCase(5);
  cluster.put('all.ndjson', lines);
  writeFileSync(join(cluster.folder, 'secret'), SECRET);
  mkdirSync(join(cluster.folder, 'elsewhere'));
  symlinkSync(cluster.folder, join(cluster.folder, 'data', 'up'));
  symlinkSync(join(cluster.folder, 'elsewhere'), join(cluster.folder, 'out', 'link'));
  redis = new Redis(cluster.redis.url);
  const producer = cluster.producer();
  const hash = await producer.context.blobs.put(model);
  worker = await cluster.worker({ sources: {}, tries: 1 });
  queue = new Queue('gatefold', { connection: redis });
  good = {
    kind: 'score',
    run: 'abc',
    shard: 0,
    model: hash,
    simd: 'auto',
    input: {
      type: 'ndjson',
      at: 'data:all.ndjson',
      from: 0,
      to: Buffer.byteLength(lines),
      sha256: hashOf(lines),
      records: 5,
    },
    fields: { x: 'x', id: 'id' },
    skipBad: false,
    output: 'out:forged/part-00000.ndjson',
  };
  const run = { run: 'abc', config: hash, round: 0, parameters: hash };
  end = {
    kind: 'score-end',
    run: 'abc',
    model: hash,
    simd: 'auto',
    shards: 1,
    records: 1,
    output: 'out:e',
  };
  train = { kind: 'train', ...run, shard: 0 };
  trainEnd = { kind: 'train-end', ...run, output: 'out:t' };
});
afterAll(async () => {
  await queue.close();
  redis.disconnect();
  await cluster.end();
});

it('scores the job that the forged ones are made from', async () => {
  const job = await ended(good);
  expect(job.failedReason).toBeUndefined();
  expect(job.returnvalue).toMatchObject({ records: 5 });
});

it('refuses jobs that lead out of the stores, at once and for good', async () => {
  const secret = { sha256: hashOf(SECRET), from: 0, to: SECRET.length, records: 1 };
  const at = (address: unknown): unknown => ({
    ...good,
    input: { type: 'ndjson', at: address, ...secret },
  });
  const out = (output: unknown): unknown => ({ ...good, output });
  const forged: readonly (readonly [unknown, RegExp])[] = [
    [at('data:../secret'), /a key has parts/],
    [at('data:up/secret'), /leads out of its store/],
    [at('/etc/passwd'), /expected "store:key"/],
    [at('file:///etc/passwd'), /a key has parts/],
    [at('s3://bucket/x'), /expected "store:key"|a key has parts|expected a name/],
    [at('http://127.0.0.1/x'), /a key has parts/],
    [at('elsewhere:x'), /has no store elsewhere/],
    [at(['data:all.ndjson']), /expected "store:key"/],
    [at({ toString: 'x' }), /expected "store:key"/],
    [out('data:written'), /for reading/],
    [out('out:../written'), /a key has parts/],
    [out('out:link/written'), /leads out of its store/],
    [out('out:link/a/written'), /leads out of its store/],
    [out('/tmp/written'), /expected "store:key"/],
    [out('out:forged'), /is no file/],
    [{ ...good, model: '../../secret' }, /expected a hash/],
    [{ ...good, store: '/etc' }, /has no field "store"/],
    [{ ...good, redis: 'redis://other' }, /has no field "redis"/],
    [{ ...good, input: { type: 'index', source: '__proto__', from: 0, to: 1 } }, /expected a text/],
    [{ ...good, input: { type: 'index', source: 'constructor', from: 0, to: 1 } }, /no source/],
    [{ ...good, input: { type: 'index', source: 'x', from: 0, to: 2 ** 40 } }, /at most/],
    [{ ...good, input: { type: 'file', path: '/etc/passwd' } }, /"job.input.type" expected/],
    [{ ...good, input: { ...(good.input as object), from: -1 } }, /from 0 to/],
    [{ ...good, input: { ...(good.input as object), to: 2 ** 50 } }, /at most 67108864/],
    [{ ...good, shard: 1e9 }, /"job.shard"/],
    [{ ...good, run: '../x' }, /"job.run"/],
    [{ ...end, output: 'data:x' }, /results of 0/],
    [{ ...train, state: 'x' }, /expected a hash/],
    [{ ...trainEnd, output: '/x' }, /expected "store:key"/],
    [{ kind: 'shell', command: 'id' }, /"job.kind" expected/],
    [{ kind: '__proto__' }, /"job.kind" expected/],
    [null, /"job.kind" expected/],
    ['score', /"job.kind" expected/],
    [[good], /"job.kind" expected/],
    [{}, /"job.kind" expected/],
  ];
  const before = tree();
  for (const [data, reason] of forged) {
    const job = await ended(data);
    expect(job.failedReason, JSON.stringify(data)).toMatch(reason);
    expect(job.attemptsMade, JSON.stringify(data)).toBe(1);
    expect(JSON.stringify(job)).not.toContain(SECRET);
  }
  expect(tree()).toEqual(before);
  expect(readdirSync(join(cluster.folder, 'elsewhere'))).toEqual([]);
  const { values } = await worker.metrics.jobs.get();
  const setAside = values.find(({ labels }) => labels.end === 'set aside');
  expect(setAside?.value).toBe(forged.length);
  expect(values.some(({ labels }) => labels.end === 'retried')).toBe(false);
});

it('refuses models and configurations that are something else, or not allowed', async () => {
  const { blobs } = cluster.producer().context;
  const noise = await blobs.put(Buffer.from('{"x":'));
  expect((await ended({ ...good, model: noise })).failedReason).toMatch(
    /not a safetensors file|expected/,
  );
  expect((await ended({ ...train, config: noise }, 'train')).failedReason).toMatch(/JSON/);
  const greedy = await blobs.put(Buffer.from(JSON.stringify({ rounds: 1e9, updates: 1 })));
  const refused = await ended({ ...train, config: greedy }, 'train');
  expect(refused.failedReason).toMatch(/"rounds" expected a whole number/);
  const other = await cluster.worker({ queue: 'only', onlyModels: ['0'.repeat(64)] });
  const only = new Queue('only', { connection: redis });
  const job = await only.add('score', good);
  while (!(await job.isFailed())) await new Promise((resolve) => setTimeout(resolve, 10));
  expect((await only.getJob(job.id!))!.failedReason).toMatch(/may not run model/);
  await only.close();
  await other.close();
});

it('believes no results that a client has put under a run', async () => {
  const id = 'forged-parent';
  const prefix = `bull:gatefold:${id}`;
  const result = { shard: 0, output: 'data:all.ndjson', records: 1, skipped: 0, bytes: 1, bad: [] };
  await redis.hset(
    `${prefix}:processed`,
    'bull:gatefold:x',
    JSON.stringify({ ...result, sha256: '0'.repeat(64) }),
  );
  const job = await queue.add('score-end', end, { jobId: id });
  while (!(await job.isFailed())) await new Promise((resolve) => setTimeout(resolve, 10));
  expect((await queue.getJob(id))!.failedReason).toMatch(/was written to data:all.ndjson/);
});

it('takes no job from 20,000 that are changed at random, but equal ones', () => {
  const random = seededRandom(4);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const strange = [
    null,
    -1,
    0.5,
    NaN,
    2 ** 60,
    '',
    '..',
    '/',
    'out:../x',
    '/etc/passwd',
    'a:b:c',
    'data:/x',
    [],
    {},
    true,
    'x'.repeat(10_000),
    '\0',
    'http://x',
    'out:',
    ':x',
    '__proto__',
    { type: 'ndjson' },
  ];
  let taken = 0;
  for (let k = 0; k < 20_000; k++) {
    const job = structuredClone(pick([good, end, train, trainEnd]));
    const places: [Record<string, unknown>, string][] = [];
    const visit = (value: Record<string, unknown>): void => {
      for (const [key, own] of Object.entries(value)) {
        places.push([value, key]);
        if (typeof own === 'object' && own !== null) visit(own as Record<string, unknown>);
      }
    };
    visit(job);
    const [where, key] = pick(places);
    const value = pick(strange);
    if (random() < 0.1) delete where[key];
    else where[random() < 0.1 ? `${key}x` : key] = value;
    let checked: unknown;
    try {
      checked = checkJob(job);
    } catch (error) {
      expect((error as Error).name).toBe('ClusterError');
      continue;
    }
    taken++;
    // What is taken is plain: counts, switches, hashes, names of fields.
    expect(checked).toEqual(job);
    const text = JSON.stringify([(job.input as { at?: string })?.at, job.output, job.model]);
    expect(text).not.toMatch(/\.\.|etc|http|:\/\//);
  }
  expect(taken).toBeLessThan(4000);
});
