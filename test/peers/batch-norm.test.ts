/** A batch normalisation that trains in gatefold and in TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Model, Trainer } from '../../src/hosts/default.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { maxError } from './problems.ts';
import { batchMajor, prepareTfjs, timeMajor } from './tfjs.ts';

/** Both sides are float32; a gradient counts by its largest element. */
const TOLERANCE = 3e-6;
const [steps, batch, width] = [7, 3, 6];
const RATE = 0.5;

const engines = variants.map((variant) => createEngine(variant));
beforeAll(prepareTfjs);
afterAll(() => engines.forEach((engine) => engine.dispose()));

// Without gamma or beta it fails itself.
it.each([
  { momentum: 0.1, eps: 1e-3 },
  { momentum: 0.01, eps: 1e-5 },
  { momentum: 0.5, eps: 0.1 },
])('updates, statistics and gradients: %o', ({ momentum, eps }) => {
  const layer = tfl.layers.batchNormalization({ momentum: 1 - momentum, epsilon: eps });
  const own = { eps, momentum, unbiased: false };
  const spec = { type: 'batchNorm', inputSize: width, ...own } as const;
  const pairs = engines.map((engine) => {
    const model = Model.create(engine, { layers: [spec] });
    const optimizer = { type: 'sgd', learningRate: RATE } as const;
    return { model, trainer: Trainer.create(model, { batch, steps, optimizer }) };
  });
  const apply = (x: tf.Tensor, training = true): tf.Tensor =>
    layer.apply(x, { training }) as tf.Tensor;
  layer.build([null, null, width]);
  const optimizer = tf.train.sgd(RATE);
  for (let update = 0; update < 4; update++) {
    const random = createRandom(update);
    const input = random.vector(steps * batch * width, 2).map((value) => Math.fround(1 + value));
    const slopes = Float32Array.from(random.vector(steps * batch * width, 1));
    const x = batchMajor(input, steps, batch);
    const dy = batchMajor(slopes, steps, batch);
    const loss = (given: tf.Tensor): tf.Scalar => tf.sum(tf.mul(apply(given), dy));
    const kept = layer.getWeights().map((weight) => weight.clone());
    // Every pass moves its statistics: the last one alone counts.
    const dx = timeMajor(tf.grad(loss)(x));
    layer.setWeights(kept);
    const output = timeMajor(apply(x));
    layer.setWeights(kept);
    optimizer.minimize(() => loss(x));
    // Gamma, beta, mean and variance, as ours.
    const weights = layer.getWeights().map((weight) => weight.dataSync());
    const inference = timeMajor(apply(x, false));
    for (const { model, trainer } of pairs) {
      const ours = trainer.forward(Float32Array.from(input));
      expect(maxError(ours.output, output)).toBeLessThan(TOLERANCE);
      trainer.zeroGradients();
      const back = trainer.backward({ output: slopes });
      const largest = Math.max(...dx.map(Math.abs));
      expect(maxError(back.input!, dx) / largest).toBeLessThan(TOLERANCE);
      trainer.update();
      [...model.stateDict()].forEach(([name, { data }], k) => {
        const size = Math.max(1, ...weights[k]!.map(Math.abs));
        expect(maxError(data, weights[k]!) / size, name).toBeLessThan(TOLERANCE);
      });
      const size = Math.max(1, ...inference.map(Math.abs));
      const running = model.forward(Float32Array.from(input), { steps, batch }).output;
      expect(maxError(running, inference) / size).toBeLessThan(TOLERANCE);
    }
  }
  for (const { model, trainer } of pairs) {
    trainer.dispose();
    model.dispose();
  }
});
