/**
 * Many to one in gatefold and in TensorFlow.js: what Keras means by the output of a layer that
 * returns no sequence, and its global pools.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Model, type Engine } from '../../src/hosts/default.ts';
import type { StateDict } from '../../src/base/tensor.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import type { RecurrentLayer } from './gates.ts';
import { maxError } from './problems.ts';
import { createTfjsLayers } from './tfjs-layer.ts';
import { batchMajor, prepareTfjs } from './tfjs.ts';

const [steps, batch, inputSize, hiddenSize] = [7, 3, 4, 5];
const spec: RecurrentLayer = { type: 'lstm', inputSize, hiddenSize };
const SIZES = {
  units: hiddenSize,
  recurrentActivation: 'sigmoid',
  // The weights are about to be set.
  recurrentInitializer: 'zeros',
} as const;

let engines: Engine[];
beforeAll(async () => {
  await prepareTfjs();
  engines = variants.map((variant) => createEngine(variant));
});
afterAll(() => engines.forEach((engine) => engine.dispose()));

/** The weights of one direction as TensorFlow.js lists them. */
function weightsOf(tensors: StateDict, suffix: string): tf.Tensor[] {
  const own = [...tensors].filter(([name]) => name.endsWith(`_l0${suffix}`));
  const plain = new Map(own.map(([name, tensor]) => [name.replace('_reverse', ''), tensor]));
  return createTfjsLayers({ core: tf, layers: tfl }, spec, 'lstm', plain)[0]!.getWeights();
}

/** Both sides on random numbers; `layer` is built by its first call, before it takes weights. */
function compare(
  options: Partial<RecurrentLayer>,
  mode: 'last' | 'mean' | 'max',
  layer: tfl.layers.Layer,
  after?: tfl.layers.Layer,
): void {
  for (const engine of engines) {
    const layers = [{ ...spec, ...options } as RecurrentLayer, { type: 'pool', mode }] as const;
    const model = Model.create(engine, { layers }, { seed: 5 });
    const x = Float32Array.from(createRandom(3).vector(steps * batch * inputSize, 1));
    const suffixes = options.bidirectional ? ['', '_reverse'] : [''];
    const input = batchMajor(x, steps, batch);
    layer.apply(input);
    layer.setWeights(suffixes.flatMap((suffix) => weightsOf(model.stateDict(), suffix)));
    const output = layer.apply(input) as tf.Tensor;
    const theirs = (after ? (after.apply(output) as tf.Tensor) : output).dataSync();
    const ours = model.forward(x, { steps, batch }).output;
    // As the outputs of test/peers/tfjs.test.ts.
    expect(maxError(ours, theirs)).toBeLessThan(2e-6);
    model.dispose();
  }
}

it.each(['concat', 'sum', 'mul', 'ave'] as const)('last, of both ways, %s', (merge) => {
  const inner = tfl.layers.lstm(SIZES) as tfl.RNN;
  const layer = tfl.layers.bidirectional({ layer: inner, mergeMode: merge });
  compare({ bidirectional: true, merge }, 'last', layer);
});

it.each([false, true])('last, reading backwards: %s', (goBackwards) => {
  const layer = tfl.layers.lstm({ ...SIZES, goBackwards });
  compare({ direction: goBackwards ? 'backward' : 'forward' }, 'last', layer);
});

it('mean and max', () => {
  const layer = (): tfl.layers.Layer => tfl.layers.lstm({ ...SIZES, returnSequences: true });
  compare({}, 'mean', layer(), tfl.layers.globalAveragePooling1d({}));
  compare({}, 'max', layer(), tfl.layers.globalMaxPooling1d({}));
});
