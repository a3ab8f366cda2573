import { Queue } from 'bullmq';
import { seededRandom } from 'gatefold/node';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { hashOf } from '../dist/blobs.js';
import type { IndexSource } from '../dist/index.js';
import { cut } from '../dist/source.js';
import { INPUTS, makeCase, parseResults } from './support/case.ts';
import type { Case } from './support/case.ts';
import { Cluster } from './support/cluster.ts';

let own: Case;
let cluster: Cluster;
let model: string;
let round = 0;
/** A folder of results that no other test has. */
let output: string;

const source: IndexSource = {
  count: 1000,
  record(index) {
    const random = seededRandom(index);
    return Float32Array.from({ length: INPUTS * (1 + (index % 9)) }, () => random() - 0.5);
  },
};

beforeAll(async () => {
  own = await makeCase(500);
  cluster = await Cluster.start();
  cluster.put('all.ndjson', own.lines);
  model = await cluster.producer().context.blobs.put(own.model);
  await cluster.worker({ sources: { small: source } });
});
afterAll(() => cluster.end());
beforeEach(() => {
  output = `out:run-${round++}`;
});
const folder = (): string => output.slice(output.indexOf(':') + 1);

function near(got: readonly number[], want: readonly number[]): boolean {
  return got.length === want.length && got.every((y, k) => Math.abs(y - want[k]!) < 1e-6);
}

it('scores every record once, to what the model gives for it alone', async () => {
  const producer = cluster.producer();
  const plan = await producer.score(
    { inputs: ['data:all.ndjson'] },
    { model, output, maxRecords: 64 },
  );
  expect(plan.shards).toHaveLength(8);
  const index = await producer.scored(plan);
  expect(index).toMatchObject({ records: 500, skipped: 0, setAside: [] });
  const results = parseResults(cluster.lines(folder()));
  expect([...results.keys()]).toEqual([...own.expected.keys()]);
  for (const [id, y] of results) expect(near(y, own.expected.get(id)!), id).toBe(true);
  expect([...cluster.results(folder()).keys()]).toEqual([
    'index.json',
    ...index.shards.map((_, k) => `part-0000${k}.ndjson`),
  ]);
});

it('adds a run once, however often it is added', async () => {
  const producer = cluster.producer();
  const options = { model, output, maxRecords: 100 };
  const plans = await Promise.all(
    [0, 1, 2].map(() => producer.score({ inputs: ['data:all.ndjson'] }, options)),
  );
  const [index] = await Promise.all(plans.map((plan) => producer.scored(plan)));
  const queue = new Queue('gatefold', { connection: { url: cluster.redis.url } });
  const before = await queue.getJobCounts();
  const again = await cluster.producer().score({ inputs: ['data:all.ndjson'] }, options);
  expect(await producer.scored(again)).toEqual(index);
  expect(await queue.getJobCounts()).toEqual(before);
  await queue.close();
});

it('cuts files at ends of lines, whatever the sizes', async () => {
  const producer = cluster.producer();
  const lines = own.lines.split('\n').slice(0, 100);
  cluster.put('b.ndjson', `\n\n${lines.join('\n')}`);
  for (const maxBytes of [4000, 10_000, 2 ** 20]) {
    const at = `${output}-${maxBytes}`;
    const manifest = { inputs: ['data:b.ndjson'] };
    const plan = await producer.score(manifest, { model, output: at, maxBytes });
    for (const { input } of plan.shards) {
      expect(input.to - input.from).toBeLessThanOrEqual(maxBytes);
    }
    await producer.scored(plan);
    const results = parseResults(cluster.lines(at.slice(4)));
    expect([...results.keys()]).toEqual([...own.expected.keys()].slice(0, 100));
  }
});

it('cuts a file that is read in several pieces', async () => {
  const random = seededRandom(9);
  const lines = Array.from({ length: 3000 }, (_, k) =>
    `${k}`.repeat(1 + Math.floor(900 * random())),
  );
  const text = `${lines.join('\n')}\n\n`;
  expect(text.length).toBeGreaterThan(4.5 * 2 ** 20);
  cluster.put('long.ndjson', text);
  const { stores } = cluster.producer().context;
  for (const [maxBytes, maxRecords] of [
    [5 * 2 ** 20, 4000],
    [2 ** 20, 4000],
    [2 ** 20, 7],
    [5000, 2],
  ] as const) {
    let [from, records] = [0, 0];
    for await (const shard of cut(stores, 'data:long.ndjson', { maxBytes, maxRecords })) {
      if (shard.type !== 'ndjson') throw new Error(shard.type);
      expect(shard.from).toBe(from);
      from = shard.to;
      const own = text.slice(shard.from, shard.to);
      expect(shard.sha256).toBe(hashOf(own));
      expect(own.split('\n').filter(Boolean)).toHaveLength(shard.records);
      expect(own.endsWith('\n')).toBe(true);
      expect(own.length).toBeLessThanOrEqual(maxBytes);
      expect(shard.records).toBeLessThanOrEqual(maxRecords);
      records += shard.records;
    }
    expect(from).toBe(text.length);
    expect(records).toBe(3000);
  }
});

it('sets a shard with a bad record aside and names it, and scores it once it is mended', async () => {
  const lines = own.lines.split('\n').slice(0, 40);
  lines[25] = '{"id":"bad","x":[1,2,3]}';
  cluster.put('bad.ndjson', lines.join('\n'));
  const producer = cluster.producer();
  const options = { model, output, maxRecords: 10 };
  const plan = await producer.score({ inputs: ['data:bad.ndjson'] }, options);
  const index = await producer.scored(plan);
  expect(index.records).toBe(30);
  expect(index.setAside).toHaveLength(1);
  expect(index.setAside[0]).toMatchObject({ shard: 2, input: { at: 'data:bad.ndjson' } });
  expect(index.setAside[0]!.reason).toMatch(/^record 5 of shard 2: "x" expected steps of 4/);

  const skipping = await producer.score(
    { inputs: ['data:bad.ndjson'] },
    { ...options, output: `${output}-skip`, skipBad: true },
  );
  const skipped = await producer.scored(skipping);
  expect(skipped).toMatchObject({ records: 39, skipped: 1, setAside: [] });
  expect(skipped.shards[2]!.bad).toMatchObject([{ record: 5 }]);
});

it('tries shards again that were set aside, when the run is asked for again', async () => {
  const queue = 'again';
  const producer = cluster.producer({ queue });
  await producer.context.blobs.put(own.model);
  const manifest = { source: 'small', count: 30 };
  const options = { model, output, maxRecords: 10 };
  const without = await cluster.worker({ queue });
  const failed = await producer.scored(await producer.score(manifest, options));
  expect(failed.records).toBe(0);
  expect(failed.setAside.map(({ reason }) => reason)).toEqual(
    Array.from({ length: 3 }, () => 'this worker has no source small'),
  );
  await without.close();
  await cluster.worker({ queue, sources: { small: source } });
  const mended = await producer.scored(await producer.score(manifest, options));
  expect(mended).toMatchObject({ run: failed.run, records: 30, setAside: [] });
});

it('scores a source by index', async () => {
  const producer = cluster.producer();
  const manifest = { source: 'small', count: 1000 };
  const plan = await producer.score(manifest, { model, output, maxRecords: 128 });
  const index = await producer.scored(plan);
  expect(index).toMatchObject({ records: 1000, setAside: [] });
  const results = parseResults(cluster.lines(folder()));
  expect([...results.keys()]).toEqual(Array.from({ length: 1000 }, (_, k) => k));
});

it('has the same bytes with any number of workers and shards at once', async () => {
  const folders: string[] = [];
  for (const concurrency of [1, 4]) {
    const others = await Promise.all([
      cluster.worker({ concurrency, queue: `q${concurrency}` }),
      cluster.worker({ concurrency, queue: `q${concurrency}`, threads: 2 }),
    ]);
    const producer = cluster.producer({ queue: `q${concurrency}` });
    await producer.context.blobs.put(own.model);
    const at = `${output}-${concurrency}`;
    folders.push(at.slice(4));
    const options = { model, output: at, maxRecords: 33 };
    await producer.scored(await producer.score({ inputs: ['data:all.ndjson'] }, options));
    for (const worker of others) await worker.close();
  }
  expect(cluster.lines(folders[0]!)).toBe(cluster.lines(folders[1]!));
});
