/**
 * Masked steps in gatefold and in TensorFlow.js: its `masking` layer and its `embedding` with
 * `maskZero` before recurrent layers, whose masks find their own way through the model.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Model, Trainer, type Engine, type LayerSpec } from '../../src/hosts/default.ts';
import { solved } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { toStateDict } from '../support/product.ts';
import { arraysOf } from './gatefold.ts';
import { createPeerProblem, describeProblem, maxError, type PeerProblem } from './problems.ts';
import { createTfjsLayers, fromTfjs, variablesOf } from './tfjs-layer.ts';
import { batchMajor, disposeVariables, prepareTfjs, timeMajor } from './tfjs.ts';

const CASES = 6;
const VALUE = -1;
const [OUTPUT, GRADIENT] = [2e-6, 2e-5];

const forms = {
  'rnn tanh': { type: 'rnn', nonlinearity: 'tanh' },
  lstm: { type: 'lstm' },
  'gru, reset before': { type: 'gru', resetAfter: false },
} as const;
const directions = {
  forward: {},
  backward: { direction: 'backward' },
  'both ways': { bidirectional: true, merge: 'sum' },
} as const;

interface Case {
  readonly problem: PeerProblem;
  readonly isLast: boolean;
}

/** Some steps of which are masked: at the front, in the middle and at the end. */
function drawCase(seed: number, form: keyof typeof forms, way: keyof typeof directions): Case {
  const limits = { maxInputSize: 6, maxHiddenSize: 7, steps: [3, 9] } as const;
  const drawn = createPeerProblem({ ...forms[form], ...directions[way] }, seed, limits);
  const random = createRandom(seed);
  const { input, dims, spec, name, initial } = drawn;
  const { steps, batch } = dims;
  for (let row = 0; row < steps * batch; row++) {
    if (random.unit() < 0.4) input.fill(VALUE, row * spec.inputSize, (row + 1) * spec.inputSize);
  }
  const { h, c } = initial[name]!;
  h.fill(0);
  c.fill(0);
  const layers: LayerSpec[] = [
    { type: 'masking', value: VALUE, inputSize: spec.inputSize },
    spec as LayerSpec,
  ];
  return { problem: { ...drawn, description: { layers } }, isLast: seed % 2 === 0 };
}

interface Result {
  readonly output: Float32Array;
  readonly gradients: Map<string, Float32Array>;
}

/** [T, B, H] or [B, H], and gradients of the parameters of its sum by other numbers. */
function inTfjs({ problem, isLast }: Case, weights: (length: number) => Float32Array): Result {
  const { spec, name, dims, parameters } = problem;
  const { steps, batch } = dims;
  tf.engine().startScope();
  const layers = createTfjsLayers({ core: tf, layers: tfl }, spec, name, parameters, !isLast);
  const held = variablesOf(layers, spec, name);
  const x = tfl.input({ shape: [steps, spec.inputSize] });
  let top = tfl.layers.masking({ maskValue: VALUE }).apply(x) as tfl.SymbolicTensor;
  for (const layer of layers) [top] = layer.apply(top) as [tfl.SymbolicTensor];
  const model = tfl.model({ inputs: x, outputs: top });
  // No variable: it has no gradient of what finds masked steps.
  const given = batchMajor(problem.input, steps, batch);
  const back = spec.direction === 'backward' && !isLast;
  const turned = (y: tf.Tensor): tf.Tensor => (back ? tf.reverse(y, 1) : y);
  const values = (y: tf.Tensor): Float32Array =>
    isLast ? (y.dataSync() as Float32Array) : timeMajor(y);
  const output = values(turned(model.predict(given) as tf.Tensor));
  const by = weights(output.length);
  const factors = isLast
    ? tf.tensor2d(by, [batch, by.length / batch])
    : batchMajor(by, steps, batch);
  const { grads } = tf.variableGrads(
    () => tf.sum(tf.mul(turned(model.apply(given) as tf.Tensor), factors)) as tf.Scalar,
    held.map(({ variable }) => variable),
  );
  const gradients = new Map(
    held.flatMap(({ variable, parameters: names }) =>
      names.map((parameter) => [parameter, fromTfjs(spec, grads[variable.name]!)]),
    ),
  );
  tf.engine().endScope();
  model.dispose();
  disposeVariables(layers);
  return { output, gradients };
}

function inGatefold(engine: Engine, { problem, isLast }: Case, by: (n: number) => Float32Array) {
  const { description, dims, parameters, input } = problem;
  const layers: LayerSpec[] = [
    ...description.layers,
    ...(isLast ? [{ type: 'pool', mode: 'last' } as const] : []),
  ];
  const model = Model.create(engine, { layers });
  model.loadStateDict(toStateDict(parameters));
  const trainer = Trainer.create(model, { steps: dims.steps, batch: dims.batch });
  const { output } = trainer.forward(Float32Array.from(input));
  trainer.backward({ output: by(output.length) });
  const gradients = arraysOf(trainer.gradients());
  trainer.dispose();
  model.dispose();
  return { output, gradients };
}

describe('masked steps in TensorFlow.js', () => {
  let engines: Engine[];
  const worst = { output: 0, gradient: 0, models: 0 };
  beforeAll(async () => {
    await prepareTfjs();
    engines = variants.map((variant) => createEngine(variant));
  });
  afterAll(() => {
    engines.forEach((engine) => engine.dispose());
    console.info('worst errors of masked steps against TensorFlow.js:', worst);
  });

  const names = Object.keys(forms) as (keyof typeof forms)[];
  const ways = Object.keys(directions) as (keyof typeof directions)[];
  const all = names.flatMap((form) => ways.map((way) => [form, way] as const));
  it.each(all)(`%s, %s: ${CASES} models`, { timeout: 60_000 }, (form, way) => {
    for (let seed = 1, left = CASES; left > 0; seed++) {
      const drawn = drawCase(seed, form, way);
      // Its second layer would have the first one's outputs turned round, but not their mask.
      const { numLayers } = drawn.problem.spec;
      if ((way === 'backward' && numLayers === 2) || !solved(drawn.problem)) continue;
      left--;
      const by = (length: number): Float32Array =>
        Float32Array.from(createRandom(seed).vector(length, 1));
      const theirs = inTfjs(drawn, by);
      for (const engine of engines) {
        const label = `${engine.variant}, ${describeProblem(drawn.problem, seed)}`;
        const ours = inGatefold(engine, drawn, by);
        const error = maxError(ours.output, theirs.output);
        expect(error, label).toBeLessThan(OUTPUT);
        worst.output = Math.max(worst.output, error);
        expect([...ours.gradients.keys()].sort()).toEqual([...theirs.gradients.keys()].sort());
        for (const [name, gradient] of theirs.gradients) {
          const apart = maxError(ours.gradients.get(name)!, gradient);
          expect(apart, `${label}: ${name}`).toBeLessThan(GRADIENT);
          worst.gradient = Math.max(worst.gradient, apart);
        }
      }
      worst.models++;
    }
    expect(tf.memory().numTensors, 'tensors left over').toBe(0);
  });

  it('an embedding masks token 0', () => {
    const [steps, batch] = [6, 3];
    const problem = createPeerProblem({ type: 'lstm' }, 3, {
      maxInputSize: 5,
      maxHiddenSize: 5,
      steps: [steps, steps],
    });
    const { spec, name, parameters } = problem;
    const random = createRandom(3);
    const tokens = Int32Array.from({ length: steps * batch }, () => random.integer(0, 2));
    const table = Float32Array.from(random.vector(3 * spec.inputSize, 1));
    tf.engine().startScope();
    const layers = createTfjsLayers({ core: tf, layers: tfl }, spec, name, parameters);
    const x = tfl.input({ shape: [steps], dtype: 'int32' });
    const embedding = tfl.layers.embedding({
      inputDim: 3,
      outputDim: spec.inputSize,
      maskZero: true,
    });
    let top = embedding.apply(x) as tfl.SymbolicTensor;
    embedding.setWeights([tf.tensor2d(table, [3, spec.inputSize])]);
    for (const layer of layers) [top] = layer.apply(top) as [tfl.SymbolicTensor];
    const given = tf.transpose(tf.tensor2d(tokens, [steps, batch], 'int32'));
    const peer = tfl.model({ inputs: x, outputs: top });
    const wanted = timeMajor(peer.predict(given) as tf.Tensor);
    tf.engine().endScope();
    peer.dispose();
    disposeVariables(layers);
    const { inputSize, ...recurrent } = spec;
    for (const engine of engines) {
      const model = Model.create(engine, {
        layers: [
          { type: 'embedding', numEmbeddings: 3, embeddingDim: inputSize, maskZero: true },
          recurrent as LayerSpec,
        ],
      });
      const tensors = toStateDict(parameters);
      tensors.set('embedding.weight', { shape: [3, inputSize], data: table });
      model.loadStateDict(tensors);
      const { output } = model.forward(tokens, { steps, batch });
      expect(maxError(output, wanted)).toBeLessThan(OUTPUT);
      model.dispose();
    }
  });
});
