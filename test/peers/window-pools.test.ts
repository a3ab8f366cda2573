/** Pools of windows and repeated steps in gatefold, in TensorFlow.js and in onnxruntime-web. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Model, type LayerSpec } from '../../src/hosts/default.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { encodeOnnx, type OnnxNode } from './onnx-writer.ts';
import { maxError } from './problems.ts';
import { prepareTfjs } from './tfjs.ts';

/** Both sides are float32. */
const TOLERANCE = 1e-6;
const [steps, width] = [11, 5];

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const engines = variants.map((variant) => createEngine(variant));
beforeAll(prepareTfjs);
afterAll(() => engines.forEach((engine) => engine.dispose()));

const x = Float32Array.from(createRandom(3).vector(steps * width, 1));

/** Outputs [T', W] of one layer in every variant, against those of somebody else. */
function compare(layer: LayerSpec, theirs: ArrayLike<number>): void {
  for (const engine of engines) {
    const model = Model.create(engine, { layers: [{ ...layer, inputSize: width } as LayerSpec] });
    expect(maxError(model.forward(x, { steps }).output, theirs)).toBeLessThan(TOLERANCE);
    model.dispose();
  }
}

const POOLS = [
  { poolSize: 2 },
  { poolSize: 3, stride: 1 },
  { poolSize: 3, stride: 1, padding: 'same' },
  { poolSize: 4, stride: 3, padding: 'same' },
  { poolSize: 2, stride: 3, padding: 'same' },
] as const;

it.each(POOLS)('TensorFlow.js: %o', (options) => {
  const { poolSize, ...rest } = { stride: undefined, padding: 'valid' as const, ...options };
  const given = { poolSize, strides: rest.stride ?? poolSize, padding: rest.padding };
  const input = tf.tensor3d(x, [1, steps, width]);
  const run = (layer: tfl.layers.Layer): ArrayLike<number> =>
    (layer.apply(input) as tf.Tensor).dataSync();
  compare({ type: 'maxPool1d', ...options }, run(tfl.layers.maxPooling1d(given)));
  const mean = run(tfl.layers.averagePooling1d(given));
  compare({ type: 'averagePool1d', ...options, countPadding: false }, mean);
});

it('TensorFlow.js: every step three times', () => {
  const input = tf.tensor4d(x, [1, steps, 1, width]);
  const theirs = tfl.layers.upSampling2d({ size: [3, 1] }).apply(input) as tf.Tensor;
  compare({ type: 'upsample1d', size: 3 }, theirs.dataSync());
});

/** [rows, columns] as [columns, rows]. */
const transposed = (values: Float32Array, columns: number): Float32Array => {
  const rows = values.length / columns;
  return values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!);
};

async function runNode(node: Omit<OnnxNode, 'inputs' | 'outputs'>): Promise<Float32Array> {
  const dims = [1, width, steps];
  const bytes = encodeOnnx({
    inputs: [{ name: 'x', dims }],
    outputs: ['y'],
    initializers: [],
    nodes: [{ ...node, inputs: ['x'], outputs: ['y'] }],
  });
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const { y } = await session.run({ x: new ort.Tensor('float32', transposed(x, width), dims) });
  await session.release();
  const values = y!.data as Float32Array;
  return transposed(values, values.length / width);
}

it.each([
  ...POOLS,
  { poolSize: 3, stride: 2, padding: [2, 1] },
  { poolSize: 4, stride: 1, padding: 'causal' },
] as const)('onnxruntime: %o', async (options) => {
  const { poolSize, ...rest } = { stride: undefined, padding: 'valid' as const, ...options };
  const { stride = poolSize, padding } = rest;
  const pads = { valid: [0, 0], causal: [poolSize - 1, 0] };
  const attributes = {
    kernel_shape: Int32Array.of(poolSize),
    strides: Int32Array.of(stride),
    ...(padding === 'same'
      ? { auto_pad: 'SAME_UPPER' }
      : { pads: Int32Array.from(typeof padding === 'string' ? pads[padding] : padding) }),
  };
  compare({ type: 'maxPool1d', ...options }, await runNode({ opType: 'MaxPool', attributes }));
  for (const countPadding of [true, false]) {
    const counts = { ...attributes, count_include_pad: Number(countPadding) };
    const theirs = await runNode({ opType: 'AveragePool', attributes: counts });
    compare({ type: 'averagePool1d', ...options, countPadding }, theirs);
  }
});
