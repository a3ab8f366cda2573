import { Engine, Model, TextBatches, Trainer, Vocabulary } from 'gatefold/node';
import type { StateDict } from 'gatefold/node';
import { loadModel } from 'gatefold/formats/safetensors';
import { Queue } from 'bullmq';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareTraining } from '../dist/index.js';
import type { Checkpoint, TrainConfig, TrainingText } from '../dist/index.js';
import { outerStep } from '../dist/rounds.js';
import { beginTraining, finishRound } from '../dist/train.js';
import { Cluster } from './support/cluster.ts';

const TEXT =
  'It was the best of times, it was the worst of times, it was the age of wisdom. '.repeat(60);
const BASE: TrainingText = {
  hiddenSize: 16,
  shards: 3,
  rounds: 4,
  updates: 5,
  batch: 4,
  steps: 12,
  optimizer: { type: 'adam', learningRate: 0.01 },
  seed: 5,
};

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster.end());

interface Trained {
  readonly config: TrainConfig;
  readonly last: Checkpoint;
  readonly parameters: StateDict;
}

async function train(given: TrainingText, folder: string, workers: number): Promise<Trained> {
  const producer = cluster.producer({ queue: folder });
  const all = await Promise.all(
    Array.from({ length: workers }, () => cluster.worker({ queue: folder, concurrency: 2 })),
  );
  const { config, first } = await prepareTraining(producer.context, given, TEXT);
  const output = `out:${folder}`;
  const last = await producer.trained(await producer.train(config, output, first), config, output);
  for (const worker of all) await worker.close();
  const engine = await Engine.create({ simd: 'deterministic' });
  const bytes = readFileSync(join(cluster.folder, 'out', folder, 'model.safetensors'));
  return { config, last, parameters: loadModel(engine, bytes).stateDict() };
}

/** The tokens of each shard of the text. */
function shardsOf({ shards }: TrainingText): Int32Array[] {
  const tokens = Vocabulary.of(TEXT).encode(TEXT);
  const length = Math.floor(tokens.length / shards);
  return Array.from({ length: shards }, (_, k) => tokens.slice(k * length, (k + 1) * length));
}

function largestDifference(a: StateDict, b: StateDict): number {
  expect([...a.keys()]).toEqual([...b.keys()]);
  let most = 0;
  for (const [name, { data }] of a) {
    data.forEach((value, i) => (most = Math.max(most, Math.abs(value - b.get(name)!.data[i]!))));
  }
  return most;
}

it('is the rounds of DiLoCo, written out with trainers of this process', async () => {
  const { config, last, parameters } = await train(BASE, 'diloco', 2);
  expect(last.round).toBe(4);
  const engine = await Engine.create({ simd: 'deterministic' });
  const global = Model.create(engine, config.model, { seed: 5 });
  const theta = new Map([...global.stateDict()].map(([name, { data }]) => [name, [...data]]));
  const velocity = new Map([...theta].map(([name, data]) => [name, data.map(() => 0)]));
  // One trainer a shard, which lives through all rounds.
  const trainers = shardsOf(BASE).map((tokens) => {
    const model = Model.create(engine, config.model, { seed: 5 });
    const options = { ...config.trainer, loss: { type: 'cross-entropy' as const } };
    const windows = new TextBatches(tokens, { batch: 4, steps: 12 });
    return { model, trainer: Trainer.create(model, options), windows };
  });
  for (let round = 0; round < 4; round++) {
    const moves = trainers.map(({ model, trainer, windows }) => {
      const shapes = global.stateDict();
      model.loadStateDict(
        new Map(
          [...theta].map(([name, data]) => [
            name,
            { shape: shapes.get(name)!.shape, data: Float32Array.from(data) },
          ]),
        ),
      );
      for (let update = 0; update < 5; update++) {
        const at = (round * 5 + update) % windows.length;
        if (at === 0) trainer.resetState();
        const { inputs, targets, steps } = windows.window(at);
        trainer.trainOn(inputs, targets, { steps });
      }
      return model.stateDict();
    });
    for (const [name, data] of theta) {
      for (let i = 0; i < data.length; i++) {
        const d = moves.reduce((sum, own) => sum + (own.get(name)!.data[i]! - data[i]!), 0) / 3;
        const v = Math.fround(0.9 * velocity.get(name)![i]! + d);
        velocity.get(name)![i] = v;
        data[i] = Math.fround(data[i]! + 0.7 * (d + 0.9 * v));
      }
    }
  }
  const expected: StateDict = new Map(
    [...theta].map(([name, data]) => [
      name,
      { shape: parameters.get(name)!.shape, data: Float32Array.from(data) },
    ]),
  );
  expect(largestDifference(parameters, expected)).toBeLessThan(1e-5);
  expect(largestDifference(parameters, global.stateDict())).toBeGreaterThan(0.05);
});

it('is synchronous SGD with one update a round, plain SGD and the plain mean', async () => {
  const plain: TrainingText = {
    ...BASE,
    rounds: 12,
    updates: 1,
    optimizer: { type: 'sgd', learningRate: 0.5 },
    outer: { learningRate: 1, momentum: 0, nesterov: false },
  };
  const { config, parameters } = await train(plain, 'synchronous', 1);
  const engine = await Engine.create({ simd: 'deterministic' });
  const model = Model.create(engine, config.model, { seed: 5 });
  const before = model.stateDict();
  const batch = 3 * 4;
  const trainer = Trainer.create(model, {
    ...config.trainer,
    batch,
    loss: { type: 'cross-entropy' },
  });
  // The rows of all shards as one batch.
  const windows = shardsOf(plain).map((tokens) => new TextBatches(tokens, { batch: 4, steps: 12 }));
  for (let round = 0; round < 12; round++) {
    const [x, y] = [new Int32Array(12 * batch), new Int32Array(12 * batch)];
    windows.forEach((own, shard) => {
      const { inputs, targets, steps } = own.window(round);
      expect(steps).toBe(12);
      for (let t = 0; t < 12; t++) {
        x.set(inputs.subarray(4 * t, 4 * t + 4), batch * t + 4 * shard);
        y.set(targets.subarray(4 * t, 4 * t + 4), batch * t + 4 * shard);
      }
    });
    trainer.trainOn(x, y);
  }
  expect(largestDifference(parameters, model.stateDict())).toBeLessThan(2e-6);
  expect(largestDifference(parameters, before)).toBeGreaterThan(0.01);
});

it('has the same bytes with any number of workers', async () => {
  await train(BASE, 'one', 1);
  await train(BASE, 'three', 3);
  const [one, three] = ['one', 'three'].map((folder) => cluster.results(folder));
  const names = [...one!.keys()];
  expect(names).toEqual([...three!.keys()]);
  expect(one!.get('model.safetensors')).toBe(three!.get('model.safetensors'));
  for (let round = 1; round <= 4; round++) {
    const own = ['one', 'three'].map((folder) => {
      const { run: _, ...rest } = JSON.parse(
        cluster.text(folder, `checkpoint-0000${round}.json`),
      ) as Checkpoint;
      return rest;
    });
    expect(own[0]).toEqual(own[1]);
  }
});

it('goes on from a checkpoint with another Redis', async () => {
  const other = await Cluster.start();
  const stores = { ...other.settings.stores };
  const blobs = 'out:blobs';
  const first = cluster.producer({ stores, blobs, queue: 'first' });
  const worker = await cluster.worker({ stores, blobs, queue: 'first' });
  const { config, first: parameters } = await prepareTraining(first.context, BASE, TEXT);
  const from = await first.train(config, 'out:moved', parameters);
  // Until the second round is there.
  const stop = first.trained(from, { ...config, rounds: 2 }, 'out:moved');
  expect((await stop).round).toBe(2);
  await worker.close();
  await first.close();
  const second = other.producer({ blobs });
  await other.worker({ blobs });
  const at = await second.train(config, 'out:moved', parameters);
  expect(at.round).toBeGreaterThanOrEqual(2);
  await second.trained(at, config, 'out:moved');
  await train(BASE, 'unmoved', 1);
  const unmoved = cluster.results('unmoved').get('model.safetensors');
  expect(other.results('moved').get('model.safetensors')).toBe(unmoved);
  await other.end();
});

it('writes the blobs of a round again that a Redis has lost', async () => {
  const { context } = cluster.producer({ queue: 'lost' });
  const { config, first } = await prepareTraining(context, BASE, TEXT);
  const output = 'out:lost';
  const { run, config: hash, parameters } = await beginTraining(context, config, output, first);
  const state = await context.blobs.put(Buffer.from('state'), run);
  const done = config.data.map((_, shard) => {
    return { shard, loss: 1, parameters, state, bytes: [1, 1] as const };
  });
  const end = { kind: 'train-end', run, config: hash, round: 0, parameters, output } as const;
  const added: number[] = [];
  const finish = (): Promise<Checkpoint> =>
    finishRound(end, done, context, async ({ round }) => void added.push(round));
  const checkpoint = await finish();
  // As the Redis was before the outer step.
  await context.blobs.remove(checkpoint.parameters, run);
  await context.blobs.put(first, run);
  expect(await finish()).toEqual(checkpoint);
  expect(added).toEqual([1, 1]);
  expect(await context.blobs.has(checkpoint.parameters, run)).toBe(true);
});

it('adds a round again that a Redis has lost', async () => {
  const producer = cluster.producer({ queue: 'unadded' });
  const { config, first } = await prepareTraining(producer.context, { ...BASE, rounds: 2 }, TEXT);
  const from = await producer.train(config, 'out:unadded', first);
  const queue = new Queue('unadded', { connection: { url: cluster.redis.url } });
  await queue.obliterate({ force: true });
  expect(await queue.getJobCountByTypes()).toBe(0);
  await queue.close();
  const worker = await cluster.worker({ queue: 'unadded' });
  expect((await producer.trained(from, config, 'out:unadded')).round).toBe(2);
  await worker.close();
});

it('refuses a folder that has another run', async () => {
  const producer = cluster.producer({ queue: 'refused' });
  const worker = await cluster.worker({ queue: 'refused' });
  const small = { ...BASE, rounds: 1, updates: 1 };
  for (const seed of [1, 2]) {
    const { config, first } = await prepareTraining(producer.context, { ...small, seed }, TEXT);
    const begun = producer.train(config, 'out:refused', first);
    if (seed === 2) await expect(begun).rejects.toThrow('name another place');
    else await producer.trained(await begun, config, 'out:refused');
  }
  await worker.close();
});

it('sets a shard aside that has no finite loss, names it, and ends the run', async () => {
  const producer = cluster.producer({ queue: 'broken' });
  const worker = await cluster.worker({ queue: 'broken' });
  const broken = { ...BASE, optimizer: { type: 'sgd' as const, learningRate: 1e30 } };
  const { config, first } = await prepareTraining(producer.context, broken, TEXT);
  const from = await producer.train(config, 'out:broken', first);
  const run = producer.trained(from, config, 'out:broken');
  await expect(run).rejects.toThrow(/^round 0, shard \d: .*finite/);
  await worker.close();
});

it('has the outer step of the formula', async () => {
  const of = (...values: number[]): StateDict =>
    new Map([['w', { shape: [values.length], data: Float32Array.from(values) }]]);
  const moved = [of(2, 0), of(4, 1)].map((own) => () => Promise.resolve(own));
  const outer = { learningRate: 0.5, momentum: 0.25, nesterov: true };
  // d = (2, 1.5); v = 0.25 (8, -4) + d = (4, 0.5); theta += 0.5 (d + 0.25 v)
  const state = { parameters: of(1, -1), velocity: of(8, -4) };
  const nesterov = await outerStep(state, moved, outer);
  expect([...nesterov.velocity.get('w')!.data]).toEqual([4, 0.5]);
  expect([...nesterov.parameters.get('w')!.data]).toEqual([2.5, -0.1875]);
  const plain = await outerStep(state, moved, { ...outer, nesterov: false });
  expect([...plain.parameters.get('w')!.data]).toEqual([3, -0.75]);
  const broken = outerStep(state, [() => Promise.resolve(of(NaN, 0))], outer);
  await expect(broken).rejects.toThrow('w is not finite');
  const other = outerStep(state, [() => Promise.resolve(of(1))], outer);
  await expect(other).rejects.toThrow('no parameters w');
});
