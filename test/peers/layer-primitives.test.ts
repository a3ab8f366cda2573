/**
 * conv1d, layerNorm, softmax and activations in gatefold, in onnxruntime-web and in TensorFlow.js.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Kernels, type ConvolutionOptions } from '../../src/kernels/index.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { encodeOnnx, type OnnxNode, type OnnxTensor } from './onnx-writer.ts';
import { maxError } from './problems.ts';
import { prepareTfjs } from './tfjs.ts';

/** Both sides are float32: sums of up to 150 terms of at most 1. */
const TOLERANCE = 5e-6;

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const engines = variants.map((variant) => createEngine(variant));
const primitives = engines.map((engine) => Kernels.create(engine));
beforeAll(prepareTfjs);
afterAll(() => engines.forEach((engine) => engine.dispose()));

const floats = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

/** [rows, columns] as [columns, rows]. */
const transposed = (values: Float32Array, columns: number): Float32Array => {
  const rows = values.length / columns;
  return values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!);
};

/** One node over one input in onnxruntime. */
async function runNode(
  node: Omit<OnnxNode, 'inputs' | 'outputs'>,
  x: Float32Array,
  dims: readonly number[],
  initializers: readonly OnnxTensor[] = [],
): Promise<Float32Array> {
  const bytes = encodeOnnx({
    inputs: [{ name: 'x', dims }],
    outputs: ['y'],
    initializers,
    nodes: [{ ...node, inputs: ['x', ...initializers.map(({ name }) => name)], outputs: ['y'] }],
  });
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const { y } = await session.run({ x: new ort.Tensor('float32', x, dims) });
  await session.release();
  return y!.data as Float32Array;
}

const CONVOLUTIONS: readonly (ConvolutionOptions & { readonly steps: number })[] = [
  { inChannels: 5, outChannels: 7, kernelSize: 3, steps: 12 },
  { inChannels: 8, outChannels: 6, kernelSize: 5, padding: 'same', steps: 20 },
  { inChannels: 4, outChannels: 9, kernelSize: 3, padding: 'same', stride: 2, steps: 11 },
  { inChannels: 4, outChannels: 9, kernelSize: 4, padding: 'same', stride: 3, steps: 17 },
  { inChannels: 3, outChannels: 5, kernelSize: 3, padding: 'causal', dilation: 3, steps: 16 },
  { inChannels: 64, outChannels: 40, kernelSize: 3, padding: 'causal', steps: 130 },
  { inChannels: 48, outChannels: 24, kernelSize: 3, padding: 'same', steps: 110 },
];

describe('conv1d', () => {
  // TensorFlow.js has no causal padding.
  const known = CONVOLUTIONS.filter(({ padding }) => padding !== 'causal');
  it.each(known)('TensorFlow.js: %o', (options) => {
    const { steps, inChannels, outChannels, kernelSize, stride = 1, dilation = 1 } = options;
    const w = floats(1, outChannels * inChannels * kernelSize);
    const bias = floats(2, outChannels);
    const x = floats(3, steps * inChannels);
    const layer = tfl.layers.conv1d({
      filters: outChannels,
      kernelSize,
      strides: stride,
      dilationRate: dilation,
      padding: (options.padding ?? 'valid') as 'same',
      biasInitializer: 'zeros',
    });
    const input = tf.tensor3d(x, [1, steps, inChannels]);
    layer.apply(input);
    // [O, I, K] to Keras' [K, I, O].
    const kernel = tf.transpose(tf.tensor3d(w, [outChannels, inChannels, kernelSize]), [2, 1, 0]);
    layer.setWeights([kernel, tf.tensor1d(bias)]);
    const theirs = (layer.apply(input) as tf.Tensor).dataSync();
    const { steps: _, ...sizes } = options;
    for (const kernels of primitives) {
      const convolution = kernels.convolution(w, { ...sizes, bias });
      expect(maxError(kernels.conv1d(x, convolution, { steps }), theirs)).toBeLessThan(TOLERANCE);
    }
  });

  it.each([
    ...CONVOLUTIONS,
    { inChannels: 6, outChannels: 9, kernelSize: 3, groups: 3, padding: [2, 1], steps: 9 },
    { inChannels: 17, outChannels: 17, kernelSize: 4, groups: 17, padding: 'same', steps: 9 },
    { inChannels: 4, outChannels: 8, kernelSize: 2, groups: 4, dilation: 2, stride: 2, steps: 14 },
  ] as typeof CONVOLUTIONS)('onnxruntime: %o', async (options) => {
    const { steps, inChannels, outChannels, kernelSize, groups = 1, padding = 'valid' } = options;
    const { stride = 1, dilation = 1 } = options;
    const w = floats(4, (outChannels * inChannels * kernelSize) / groups);
    const bias = floats(5, outChannels);
    const x = floats(6, steps * inChannels);
    const reach = dilation * (kernelSize - 1);
    const pads = padding === 'causal' ? [reach, 0] : padding === 'valid' ? [0, 0] : padding;
    const theirs = await runNode(
      {
        opType: 'Conv',
        attributes: {
          dilations: Int32Array.of(dilation),
          group: groups,
          kernel_shape: Int32Array.of(kernelSize),
          strides: Int32Array.of(stride),
          ...(pads === 'same'
            ? { auto_pad: 'SAME_UPPER' }
            : { pads: Int32Array.from(pads as number[]) }),
        },
      },
      transposed(x, inChannels),
      [1, inChannels, steps],
      [
        { name: 'w', dims: [outChannels, inChannels / groups, kernelSize], data: w },
        { name: 'b', dims: [outChannels], data: bias },
      ],
    );
    const { steps: _, ...sizes } = options;
    for (const kernels of primitives) {
      const convolution = kernels.convolution(w, { ...sizes, bias });
      const y = kernels.conv1d(x, convolution, { steps });
      expect(maxError(transposed(y, outChannels), theirs)).toBeLessThan(TOLERANCE);
    }
  });
});

const [rows, features] = [7, 21];
const x = floats(7, rows * features).map((value) => 4 * value);

it('layerNorm, both', async () => {
  const [gamma, beta] = [floats(8, features), floats(9, features)];
  const onnx = await runNode(
    { opType: 'LayerNormalization', attributes: { axis: 1, epsilon: { float: 1e-3 } } },
    x,
    [rows, features],
    [
      { name: 'gamma', dims: [features], data: gamma },
      { name: 'beta', dims: [features], data: beta },
    ],
  );
  const layer = tfl.layers.layerNormalization({ epsilon: 1e-3 });
  const input = tf.tensor2d(x, [rows, features]);
  layer.apply(input);
  layer.setWeights([tf.tensor1d(gamma), tf.tensor1d(beta)]);
  const keras = (layer.apply(input) as tf.Tensor).dataSync();
  for (const kernels of primitives) {
    const y = kernels.layerNorm(x, features, { gamma, beta, epsilon: 1e-3 });
    expect(maxError(y, onnx)).toBeLessThan(TOLERANCE);
    expect(maxError(y, keras)).toBeLessThan(TOLERANCE);
  }
});

it('softmax and logSoftmax, both', async () => {
  const input = tf.tensor2d(x, [rows, features]);
  const theirs = {
    softmax: [
      await runNode({ opType: 'Softmax', attributes: { axis: 1 } }, x, [rows, features]),
      tf.softmax(input).dataSync(),
    ],
    logSoftmax: [
      await runNode({ opType: 'LogSoftmax', attributes: { axis: 1 } }, x, [rows, features]),
      tf.logSoftmax(input).dataSync(),
    ],
  };
  for (const kernels of primitives) {
    for (const name of ['softmax', 'logSoftmax'] as const) {
      const y = kernels[name](x, 1, undefined, features);
      for (const other of theirs[name]) expect(maxError(y, other)).toBeLessThan(TOLERANCE);
    }
  }
});

it.each([
  ['sigmoid', 'Sigmoid', {}],
  ['tanh', 'Tanh', {}],
  ['relu', 'Relu', {}],
  ['leakyRelu', 'LeakyRelu', { alpha: { float: 0.01 } }],
  ['thresholdedRelu', 'ThresholdedRelu', {}],
  ['hardSigmoid', 'HardSigmoid', {}],
  ['elu', 'Elu', {}],
  ['selu', 'Selu', {}],
  ['softsign', 'Softsign', {}],
  ['softplus', 'Softplus', {}],
] as const)('activation %s, onnxruntime', async (name, opType, attributes) => {
  const theirs = await runNode({ opType, attributes }, x, [rows, features]);
  for (const kernels of primitives) {
    expect(maxError(kernels.activation(name, x), theirs)).toBeLessThan(TOLERANCE);
  }
});
