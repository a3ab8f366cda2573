/** Files of Keras that are fine-tuned here and go on to TensorFlow.js. */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { Engine } from '../../src/hosts/default.ts';
import { loadKeras } from '../../src/formats/keras.ts';
import { readTfjs, writeTfjs } from '../../src/formats/tfjs.ts';
import { Trainer } from '../../src/training/trainer.ts';
import { prepare, tf, tfl } from '../support/tfjs-models.ts';

const HOUSEHOLD = '../../examples/keras-forecaster/household.h5';
const GRU = '../fixtures/keras/household-gru.h5';
const [BATCH, STEPS, HORIZON] = [4, 48, 24];

const read = (file: string): Uint8Array => readFileSync(new URL(file, import.meta.url));
let engine: Engine;
beforeAll(async () => {
  await prepare();
  engine = await Engine.create();
});

const wave = (length: number, speed: number): Float32Array =>
  Float32Array.from({ length }, (_, t) => 0.5 + 0.4 * Math.sin(speed * t));

it('an .h5 of Keras, fine-tuned, gives in TensorFlow.js what it gives here', async () => {
  const model = loadKeras(engine, read(HOUSEHOLD));
  expect(model.metadata['shapes']).toEqual({ input: [STEPS, 1] });
  const before = model.stateDict();
  const optimizer = { type: 'adam', learningRate: 0.01 } as const;
  const trainer = Trainer.create(model, { batch: BATCH, steps: STEPS, loss: 'mae', optimizer });
  const [x, target] = [wave(STEPS * BATCH, 0.3), wave(HORIZON * BATCH, 0.7)];
  const losses = Array.from({ length: 20 }, () => trainer.trainOn(x, target).loss);
  expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);

  const { 'model.json': json, 'weights.bin': weights } = writeTfjs(model);
  const { modelTopology, weightsManifest } = JSON.parse(new TextDecoder().decode(json)) as {
    modelTopology: object;
    weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
  };
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const weightData = weights.slice().buffer;
  const artifacts = { modelTopology, weightSpecs, weightData };
  const other = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
  const rows = wave(STEPS * BATCH, 0.2);
  const theirs = other.predict(tf.tensor(rows, [BATCH, STEPS, 1])) as tf.Tensor;
  const { output } = model.forward(rows, { steps: STEPS, batch: BATCH, batchFirst: true });
  expect(output.length).toBe(BATCH * HORIZON);
  theirs.dataSync().forEach((y, k) => expect(Math.abs(output[k]! - y)).toBeLessThan(1e-5));

  const again = readTfjs(json, { 'weights.bin': weights }).tensors;
  for (const [name, { data }] of model.stateDict()) {
    expect(again.get(name)?.data, name).toEqual(data);
    expect(before.get(name)?.data, name).not.toEqual(data);
  }
});

it('a GRU with reset after trains here, and TensorFlow.js has none', () => {
  const model = loadKeras(engine, read(GRU));
  const trainer = Trainer.create(model, { batch: BATCH, steps: STEPS, loss: 'mae' });
  const { loss } = trainer.trainOn(wave(STEPS * BATCH, 0.3), wave(HORIZON * BATCH, 0.7));
  expect(loss).toBeGreaterThan(0);
  expect(() => writeTfjs(model)).toThrow(/"gru": TensorFlow.js has no GRU with resetAfter/);
  const args = { units: 8, resetAfter: true };
  expect(() => tfl.layers.gru(args)).toThrow(/reset_after/i);
});
