/** Models of TensorFlow.js, random ones, through every reader: the outputs are the same. */
import { expect } from 'vitest';
import { Engine } from '../../src/hosts/default.ts';
import { loadKeras } from '../../src/formats/keras.ts';
import { loadTfjs, readTfjs, writeTfjs } from '../../src/formats/tfjs.ts';
import { Model } from '../../src/model/model.ts';
import { Trainer } from '../../src/training/trainer.ts';
import { toH5, toKeras } from '../support/keras-files.ts';
import { createRandom } from '../support/random.ts';
import { filesOf, save, tf, tfl, workingModel, type RandomModel } from '../support/tfjs-models.ts';

/** What calls of one of our models of it take. */
function inputsOf(model: Model, { inputs, steps }: RandomModel, timeFirst = false) {
  const specs = (model.description.inputs ?? ['input']).map((input) =>
    typeof input === 'string' ? { name: input } : input,
  );
  const own = specs.filter((input) => 'stepsOf' in input && input.stepsOf === input.name);
  const data = inputs.map(({ tensor }) => {
    const order = [1, 0, ...(tensor.rank > 2 ? [2] : [])];
    const turned = timeFirst ? tf.transpose(tensor, order) : tensor;
    return turned.dataSync() as Float32Array | Int32Array;
  });
  const names = specs.map(({ name }) => name);
  return {
    x: names.length > 1 ? Object.fromEntries(names.map((name, k) => [name, data[k]!])) : data[0]!,
    steps: own.length
      ? Object.fromEntries([names[0]!, ...own.map(({ name }) => name)].map((name) => [name, steps]))
      : steps,
  };
}

/** Largest difference of two lists, to 1 and what is expected. */
function differenceOf(got: ArrayLike<number>, want: ArrayLike<number>): number {
  expect(got.length).toBe(want.length);
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    worst = Math.max(worst, Math.abs(got[i]! - want[i]!) / (1 + Math.abs(want[i]!)));
  }
  return worst;
}

/** One step of gradient descent, in both: largest difference of the parameters after it. */
async function trainBoth(model: Model, random: RandomModel): Promise<number | undefined> {
  const rate = 0.1;
  const { model: other, inputs, batch } = random;
  const { x, steps } = inputsOf(model, random, true);
  const given = inputs.map(({ tensor }) => tensor);
  const out = tf.tidy(() => (other.predict(given) as tf.Tensor).shape);
  const target = tf.fill(out, 0.25);
  const loss = (): tf.Scalar => {
    const y = other.apply(given, { training: true }) as tf.Tensor;
    return tf.losses.meanSquaredError(target, y) as tf.Scalar;
  };
  let grads: tf.NamedTensorMap;
  try {
    ({ grads } = tf.variableGrads(loss));
  } catch {
    // TensorFlow.js has not every gradient.
    return undefined;
  }
  for (const weight of other.trainableWeights) {
    const variable = (weight as unknown as { val: tf.Variable }).val;
    const gradient = grads[variable.name];
    if (gradient) variable.assign(tf.tidy(() => tf.sub(variable, tf.mul(gradient, rate))));
  }
  const { json, shards } = filesOf(await save(other));
  const want = readTfjs(json, shards).tensors;
  const trainer = Trainer.create(model, {
    batch,
    steps: steps as number,
    loss: 'mse',
    optimizer: { type: 'sgd', learningRate: rate },
  });
  trainer.trainOn(x, target.dataSync() as Float32Array);
  let worst = 0;
  for (const [name, { data }] of model.stateDict()) {
    worst = Math.max(worst, differenceOf(data, want.get(name)!.data));
  }
  trainer.dispose();
  return worst;
}

/** What TensorFlow.js makes of the files that we write of a model. */
async function writtenOutputs(model: Model, { inputs }: RandomModel): Promise<Float32Array[]> {
  const files = writeTfjs(model);
  const json = JSON.parse(new TextDecoder().decode(files['model.json'])) as {
    modelTopology: object;
    weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
  };
  const read = await tfl.loadLayersModel({
    load: () =>
      Promise.resolve({
        modelTopology: json.modelTopology,
        weightSpecs: json.weightsManifest[0]!.weights,
        weightData: files['weights.bin'].buffer as ArrayBuffer,
      }),
  });
  // Inputs that no layer reads are gone.
  const given = read.inputs.map(
    ({ name }, k) => inputs.find((input) => input.name === name) ?? inputs[k]!,
  );
  const out = read.predict(given.map(({ tensor }) => tensor)) as tf.Tensor | tf.Tensor[];
  return [out].flat().map((tensor) => tensor.dataSync() as Float32Array);
}

/** Reasons that are no fault of the writer. */
const REFUSED =
  /resetAfter|backward layer|of these numbers|has not its activations|no layer like|pool of mode last/;

export interface Worst {
  forward: number;
  written: number;
  training: number;
  trained: number;
}

/** Checks models of so many seeds. */
export async function checkModels(from: number, count: number): Promise<Worst> {
  const engine = await Engine.create();
  const worst = { forward: 0, written: 0, training: 0, trained: 0 };
  for (let seed = from; seed < from + count; seed++) {
    const random = createRandom(seed).unit;
    const [model, want] = await workingModel(random);
    const { json, shards } = filesOf(model, random());
    const containers = [
      () => loadTfjs(engine, json, shards),
      () => loadKeras(engine, toH5(model, seed % 2 === 0)),
      () => loadKeras(engine, toKeras(model, seed % 3 === 0)),
    ];
    for (const load of containers) {
      const own = load();
      const { x, steps } = inputsOf(own, model);
      const { outputs } = own.forward(x, { steps, batch: model.batch, batchFirst: true });
      const differences = Object.values(outputs).map((out, k) => differenceOf(out, want[k]!));
      worst.forward = Math.max(worst.forward, ...differences);
      expect(worst.forward, `model ${seed}`).toBeLessThan(1e-5);
      if (load === containers[0]) {
        try {
          const again = await writtenOutputs(own, model);
          const gaps = again.map((out, k) => differenceOf(out, want[k]!));
          expect(Math.max(...gaps), `model ${seed}, written`).toBeLessThan(1e-5);
          worst.written++;
        } catch (error) {
          expect(String(error)).toMatch(REFUSED);
        }
      }
      own.dispose();
    }
    if (model.isPlain && want.length === 1) {
      const own = loadTfjs(engine, json, shards);
      const difference = await trainBoth(own, model);
      if (difference !== undefined) worst.trained++;
      worst.training = Math.max(worst.training, difference ?? 0);
      expect(worst.training, `training of model ${seed}`).toBeLessThan(2e-5);
      own.dispose();
    }
    tf.disposeVariables();
  }
  return worst;
}
