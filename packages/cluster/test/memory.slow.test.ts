/** A thread that trains keeps its memory, however many shards it has trained. */

import { Engine } from 'gatefold/node';
import { expect, it } from 'vitest';
import { firstParameters } from '../dist/rounds.js';
import type { TrainConfig } from '../dist/rounds.js';
import { trainShard } from '../dist/train-shard.js';

it('trains 600 shards in flat memory', async () => {
  const config: TrainConfig = {
    model: {
      layers: [
        { type: 'embedding', numEmbeddings: 65, embeddingDim: 64 },
        { type: 'lstm', inputSize: 64, hiddenSize: 64 },
        { type: 'linear', outFeatures: 65 },
      ],
    },
    vocabulary: 'x',
    data: ['x'],
    rounds: 1000,
    updates: 1,
    trainer: { batch: 8, steps: 64 },
    outer: { learningRate: 1, momentum: 0, nesterov: false },
    seed: 1,
    simd: 'deterministic',
  };
  const task = {
    config: Buffer.from(JSON.stringify(config)),
    tokens: new Uint8Array(Int32Array.from({ length: 5000 }, (_, k) => 1 + ((k * k) % 64)).buffer),
    shard: 0,
    parameters: firstParameters(await Engine.create({ simd: 'deterministic' }), config),
  };
  let state: Uint8Array | undefined;
  let early = 0;
  for (let round = 0; round < 600; round++) {
    ({ state } = await trainShard({ ...task, round, ...(state && { state }) }));
    if (round === 200) early = process.memoryUsage().rss;
  }
  expect(process.memoryUsage().rss - early).toBeLessThan(64 * 2 ** 20);
});
