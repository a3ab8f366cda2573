/**
 * Convolutions, normalisations and activations in gatefold, in onnxruntime-web and in
 * TensorFlow.js, and in the float64 reference, which is so checked by an independent hand too.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Model, Trainer, type Engine, type LayerSpec } from '../../src/hosts/default.ts';
import { forward } from '../reference/network.ts';
import { createEngine, variants } from '../support/engines.ts';
import { drawConv1d } from '../support/layer-stacks.ts';
import { createProblem, type Problem } from '../support/problem.ts';
import { roundProblem, toStateDict } from '../support/product.ts';
import { createRandom } from '../support/random.ts';
import { encodeOnnx, type OnnxNode, type OnnxTensor } from './onnx-writer.ts';
import { maxError } from './problems.ts';
import { batchMajor, prepareTfjs, timeMajor } from './tfjs.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

/** onnxruntime's tanh and sigmoid have errors of 3.7e-7 and 2e-7, as test/peers/onnxruntime has. */
const TOLERANCE = 3e-6;
/** By the largest of a gradient: sums over all steps, in another order. */
const GRADIENT_TOLERANCE = 1e-5;
/** The first that has `Gelu`. */
const OPSET = 20;

let engines: Engine[];
beforeAll(async () => {
  await prepareTfjs();
  engines = variants.map((variant) => createEngine(variant));
});
afterAll(() => engines.forEach((engine) => engine.dispose()));

/** Numbers that both sides can say. */
const rounded = (seed: number, length: number): number[] =>
  [...createRandom(seed).vector(length, 2)].map(Math.fround);

function problemOf(layer: LayerSpec, seed: number, gain = 1): Problem {
  const random = createRandom(seed);
  const dims = { steps: random.integer(9, 30), batch: random.integer(1, 4) };
  const scale = (columns: number): number => gain / Math.sqrt(columns);
  return roundProblem(createProblem({ layers: [layer] }, dims, random, { scale, stateScale: 0 }));
}

/** All sides on the same numbers. */
function requireOutputs(problem: Problem, theirs: Float32Array, label: string): void {
  const { description, parameters, input, dims, initial } = problem;
  const exact = forward(description, parameters, input, dims, initial).output;
  const size = Math.max(1, ...exact.map(Math.abs));
  expect(theirs.length, label).toBe(exact.length);
  expect(maxError(exact, theirs) / size, `reference, ${label}`).toBeLessThan(TOLERANCE);
  for (const engine of engines) {
    const model = Model.create(engine, description);
    model.loadStateDict(toStateDict(parameters));
    const { output } = model.forward(Float32Array.from(input), dims);
    expect(maxError(output, theirs) / size, `${engine.variant}, ${label}`).toBeLessThan(TOLERANCE);
    model.dispose();
  }
}

/** x [T, B, I] through nodes that take and give `x` and `y`. */
async function runOnnx(
  { input, dims: { steps, batch } }: Problem,
  nodes: readonly OnnxNode[],
  initializers: readonly OnnxTensor[],
): Promise<Float32Array> {
  const width = input.length / (steps * batch);
  const bytes = encodeOnnx({
    inputs: [{ name: 'x', dims: ['T', 'B', width] }],
    outputs: ['y'],
    initializers,
    nodes,
    opset: OPSET,
  });
  const session = await ort.InferenceSession.create(bytes);
  const x = new ort.Tensor('float32', Float32Array.from(input), [steps, batch, width]);
  const { y } = await session.run({ x });
  await session.release();
  return y!.data as Float32Array;
}

const constants = ({ parameters }: Problem): OnnxTensor[] =>
  [...parameters].map(([name, { shape, data }]) => ({
    name,
    dims: shape,
    data: Float32Array.from(data),
  }));

describe('onnxruntime-web', () => {
  it(
    '60 convolutions of any padding, stride, dilation and groups',
    { timeout: 60_000 },
    async () => {
      const seen = new Set<string>();
      for (let seed = 1; seed <= 60; seed++) {
        const random = createRandom(seed);
        const drawn = drawConv1d(random, random.integer(1, 24), random.integer(1, 40));
        const { activation: _, ...layer } = drawn;
        const { padding, stride, dilation, groups, kernelSize, inChannels } = layer;
        seen.add(`${Array.isArray(padding) ? 'pair' : padding}`);
        if (groups! > 1) seen.add(groups === inChannels ? 'depthwise' : 'groups');
        if (stride! > 1 && dilation! > 1) seen.add('stride and dilation');
        const problem = problemOf(layer, seed);
        const reach = dilation! * (kernelSize - 1);
        // Its SAME_UPPER takes no dilation: the zeros are counted by hand, as Keras documents them.
        const isAutomatic = padding === 'same' && dilation === 1;
        const { steps } = problem.dims;
        const missing = (Math.ceil(steps / stride!) - 1) * stride! + reach + 1 - steps;
        const zeros = Math.max(0, missing);
        const pads = {
          valid: [0, 0],
          causal: [reach, 0],
          same: [Math.floor(zeros / 2), Math.ceil(zeros / 2)],
        };
        const conv: OnnxNode = {
          opType: 'Conv',
          inputs: ['bit', 'conv1d.weight', ...(layer.bias ? ['conv1d.bias'] : [])],
          outputs: ['bot'],
          attributes: {
            strides: Int32Array.of(stride!),
            dilations: Int32Array.of(dilation!),
            group: groups!,
            ...(isAutomatic
              ? { auto_pad: 'SAME_UPPER' }
              : { pads: Int32Array.from(typeof padding === 'string' ? pads[padding] : padding!) }),
          },
        };
        const turn = (from: string, to: string, ...perm: number[]): OnnxNode => ({
          opType: 'Transpose',
          inputs: [from],
          outputs: [to],
          attributes: { perm: Int32Array.from(perm) },
        });
        const nodes = [turn('x', 'bit', 1, 2, 0), conv, turn('bot', 'y', 2, 0, 1)];
        const theirs = await runOnnx(problem, nodes, constants(problem));
        requireOutputs(problem, theirs, JSON.stringify(layer));
      }
      const all = ['causal', 'depthwise', 'groups', 'pair', 'same', 'stride and dilation', 'valid'];
      expect([...seen].sort()).toEqual(all);
    },
  );

  it.each([1, 5, 16, 31])('a normalisation of %i features', async (inputSize) => {
    for (const eps of [1e-5, 1e-3]) {
      const problem = problemOf({ type: 'layerNorm', inputSize, eps }, inputSize);
      const node: OnnxNode = {
        opType: 'LayerNormalization',
        inputs: ['x', 'layerNorm.weight', 'layerNorm.bias'],
        outputs: ['y'],
        attributes: { axis: 2, epsilon: { float: eps } },
      };
      requireOutputs(problem, await runOnnx(problem, [node], constants(problem)), `eps ${eps}`);
    }
  });

  it.each([1, 5, 16, 31])('a normalisation by statistics of %i features', async (inputSize) => {
    const problem = problemOf({ type: 'batchNorm', inputSize, eps: 1e-3 }, inputSize);
    const roles = ['weight', 'bias', 'running_mean', 'running_var'];
    const turn = (from: string, to: string, ...perm: number[]): OnnxNode => ({
      opType: 'Transpose',
      inputs: [from],
      outputs: [to],
      attributes: { perm: Int32Array.from(perm) },
    });
    const norm: OnnxNode = {
      opType: 'BatchNormalization',
      inputs: ['bit', ...roles.map((role) => `batchNorm.${role}`)],
      outputs: ['bot'],
      attributes: { epsilon: { float: 1e-3 } },
    };
    const nodes = [turn('x', 'bit', 1, 2, 0), norm, turn('bot', 'y', 2, 0, 1)];
    requireOutputs(problem, await runOnnx(problem, nodes, constants(problem)), 'batchNorm');
  });

  it.each([1, 5, 16, 31])('a root mean square of %i features', async (inputSize) => {
    const problem = problemOf({ type: 'rmsNorm', inputSize, eps: 1e-3 }, inputSize);
    const node = (opType: string, inputs: string[], output: string): OnnxNode => ({
      opType,
      inputs,
      outputs: [output],
    });
    const nodes = [
      node('Mul', ['x', 'x'], 'square'),
      node('ReduceMean', ['square', 'axis'], 'mean'),
      node('Add', ['mean', 'eps'], 'sum'),
      node('Sqrt', ['sum'], 'root'),
      node('Div', ['x', 'root'], 'hat'),
      node('Mul', ['hat', 'rmsNorm.weight'], 'y'),
    ];
    const all = [
      ...constants(problem),
      { name: 'eps', dims: [1], data: Float32Array.of(1e-3) },
      { name: 'axis', dims: [1], data: BigInt64Array.of(2n) },
    ];
    requireOutputs(problem, await runOnnx(problem, nodes, all), 'rmsNorm');
  });

  const alpha = { float: 0.3 };
  it.each([
    ['relu', 'Relu', {}],
    ['tanh', 'Tanh', {}],
    ['sigmoid', 'Sigmoid', {}],
    ['softsign', 'Softsign', {}],
    ['softplus', 'Softplus', {}],
    ['gelu', 'Gelu', {}],
    ['selu', 'Selu', {}],
    ['softmax', 'Softmax', { axis: 2 }],
    ['logSoftmax', 'LogSoftmax', { axis: 2 }],
    [{ type: 'elu', alpha: 0.3 }, 'Elu', { alpha }],
    [{ type: 'leakyRelu', alpha: 0.3 }, 'LeakyRelu', { alpha }],
    [{ type: 'thresholdedRelu', alpha: 0.3 }, 'ThresholdedRelu', { alpha }],
    [
      { type: 'hardSigmoid', alpha: 0.3, beta: 0.4 },
      'HardSigmoid',
      { alpha, beta: { float: 0.4 } },
    ],
  ] as const)('%j as %s', async (activation, opType, attributes) => {
    const drawn = problemOf({ type: 'activation', inputSize: 13, activation }, 3);
    // Also where the functions saturate.
    const problem = { ...drawn, input: drawn.input.map((x) => Math.fround(4 * x)) };
    const node: OnnxNode = { opType, inputs: ['x'], outputs: ['y'], attributes };
    requireOutputs(problem, await runOnnx(problem, [node], []), opType);
  });
});

describe('onnxruntime-web, learnt and constant slopes, delays', () => {
  it.each([true, false])('prelu, one slope for all %s', async (shared) => {
    for (const inputSize of [1, 6, 13]) {
      const problem = problemOf({ type: 'prelu', inputSize, shared }, inputSize);
      const node: OnnxNode = { opType: 'PRelu', inputs: ['x', 'prelu.weight'], outputs: ['y'] };
      requireOutputs(problem, await runOnnx(problem, [node], constants(problem)), 'PRelu');
    }
  });

  it('scale', async () => {
    const [factor, offset] = [rounded(1, 5), rounded(2, 5)];
    const problem = problemOf({ type: 'scale', inputSize: 5, factor, offset }, 3);
    const nodes = [
      { opType: 'Mul', inputs: ['x', 'factor'], outputs: ['product'] },
      { opType: 'Add', inputs: ['product', 'offset'], outputs: ['y'] },
    ];
    const all = Object.entries({ factor, offset }).map(([name, values]) => ({
      name,
      dims: [5],
      data: Float32Array.from(values),
    }));
    requireOutputs(problem, await runOnnx(problem, nodes, all), 'Mul, Add');
  });

  it.each([1, 4, 8])('a delay of %i steps', async (steps) => {
    const problem = problemOf({ type: 'delay', inputSize: 3, steps }, steps);
    const node: OnnxNode = { opType: 'Pad', inputs: ['x', 'pads'], outputs: ['y'] };
    const data = BigInt64Array.from([steps, 0, 0, -steps, 0, 0], BigInt);
    const pads = { name: 'pads', dims: [6], data };
    requireOutputs(problem, await runOnnx(problem, [node], [pads]), 'Pad');
  });
});

/** Positive numbers, where a function has no others. */
const positive = (problem: Problem): Problem => ({
  ...problem,
  input: problem.input.map((x) => Math.fround(Math.abs(x) + 0.1)),
});

describe('onnxruntime-web, elementwise mathematics and reductions', () => {
  const of = (name: string, data: Float32Array | BigInt64Array, dims: number[]): OnnxTensor => ({
    name,
    dims,
    data,
  });
  it.each([
    ['abs', 'Abs', []],
    ['neg', 'Neg', []],
    ['sqrt', 'Sqrt', []],
    ['log', 'Log', []],
    ['pow', 'Pow', [2]],
    [{ type: 'pow', alpha: 3 }, 'Pow', [3]],
    [{ type: 'pow', alpha: -1.5 }, 'Pow', [-1.5]],
    [{ type: 'clip', alpha: -0.2, beta: 0.5 }, 'Clip', [-0.2, 0.5]],
  ] as const)('%j as %s', async (activation, opType, numbers) => {
    const drawn = problemOf({ type: 'activation', inputSize: 13, activation }, 3);
    const hasNegatives = ['Abs', 'Neg', 'Clip'].includes(opType) || [2, 3].includes(numbers[0]!);
    const problem = hasNegatives ? drawn : positive(drawn);
    const names = numbers.map((_, k) => `n${k}`);
    const constants = numbers.map((value, k) => of(names[k]!, Float32Array.of(value), []));
    const node: OnnxNode = { opType, inputs: ['x', ...names], outputs: ['y'] };
    requireOutputs(problem, await runOnnx(problem, [node], constants), opType);
  });

  it.each([
    ['reduceMean', 'ReduceMean'],
    ['reduceSum', 'ReduceSum'],
    ['reduceMax', 'ReduceMax'],
  ] as const)('%s', async (type, opType) => {
    for (const inputSize of [1, 6, 13]) {
      const problem = problemOf({ type, inputSize }, inputSize);
      const node: OnnxNode = { opType, inputs: ['x', 'axes'], outputs: ['y'] };
      const axes = of('axes', BigInt64Array.of(-1n), [1]);
      requireOutputs(problem, await runOnnx(problem, [node], [axes]), opType);
    }
  });
});

/** The tensors of our layer as TensorFlow.js lists them; kernels are [K, I, O] there. */
function tfjsWeights({ parameters }: Problem): tf.Tensor[] {
  return [...parameters.values()].map(({ shape, data }) => {
    const tensor = tf.tensor(Float32Array.from(data), [...shape]);
    return shape.length === 3 ? tf.transpose(tensor, [2, 1, 0]) : tensor;
  });
}

/** Outputs, and the gradients of input and parameters. */
function requireTfjs(
  problem: Problem,
  layer: tfl.layers.Layer,
  label: string,
  { before = 0, hasGradient = true } = {},
): void {
  const { dims, description, parameters, doutput } = problem;
  const { steps, batch } = dims;
  const given = batchMajor(problem.input, steps, batch);
  const apply = (x: tf.Tensor): tf.Tensor =>
    layer.apply(
      before
        ? tf.pad(x as tf.Tensor3D, [
            [0, 0],
            [before, 0],
            [0, 0],
          ])
        : x,
    ) as tf.Tensor;
  apply(given);
  const weights = tfjsWeights(problem);
  layer.setWeights(weights.map((own, k) => tf.reshape(own, layer.weights[k]!.shape as number[])));
  const theirs = apply(given);
  requireOutputs(problem, timeMajor(theirs), label);
  if (!hasGradient) return;

  const dy = batchMajor(doutput, theirs.shape[1]!, batch);
  const loss = (): tf.Scalar => tf.sum(tf.mul(apply(given), dy));
  const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const { grads } = variables.length
    ? tf.variableGrads(loss, variables)
    : { grads: {} as tf.NamedTensorMap };
  const input = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(apply(x), dy)))(given);
  for (const engine of engines) {
    const model = Model.create(engine, description);
    model.loadStateDict(toStateDict(parameters));
    const trainer = Trainer.create(model, { batch, steps });
    trainer.forward(Float32Array.from(problem.input));
    const back = trainer.backward({ output: Float32Array.from(doutput) });
    const check = (ours: Float32Array, wanted: Float32Array, what: string): void => {
      const size = Math.max(...wanted.map(Math.abs));
      const error = maxError(ours, wanted) / size;
      expect(error, `${what}, ${engine.variant}, ${label}`).toBeLessThan(GRADIENT_TOLERANCE);
    };
    check(back.input!, timeMajor(input), 'input');
    const ours = [...trainer.gradients()];
    variables.forEach((variable, k) => {
      const [name, { data, shape }] = ours[k]!;
      const wanted = grads[variable.name]!;
      const own = shape.length === 3 ? tf.transpose(wanted, [2, 1, 0]) : wanted;
      check(data, own.dataSync() as Float32Array, name);
    });
    model.dispose();
  }
}

describe('TensorFlow.js', () => {
  // It has neither groups nor a stride and a dilation at once; causal is to pad and to be valid.
  const sizes = { type: 'conv1d', inChannels: 5, outChannels: 7 } as const;
  it.each([
    { padding: 'valid', kernelSize: 3 },
    { padding: 'same', kernelSize: 3 },
    { padding: 'same', kernelSize: 4, stride: 2 },
    { padding: 'same', kernelSize: 2, stride: 3 },
    { padding: 'valid', kernelSize: 2, stride: 3 },
    { padding: 'same', kernelSize: 2, dilation: 3 },
    { padding: 'valid', kernelSize: 3, dilation: 2 },
    { padding: 'causal', kernelSize: 3, dilation: 2 },
    { padding: 'causal', kernelSize: 4, stride: 2 },
  ] as const)('a convolution, %j', (options) => {
    for (const [seed, bias] of [true, false].entries()) {
      const {
        padding,
        kernelSize,
        stride = 1,
        dilation = 1,
      } = { stride: 1, dilation: 1, ...options };
      const problem = problemOf({ ...sizes, ...options, bias }, seed + 1);
      const layer = tfl.layers.conv1d({
        filters: 7,
        kernelSize,
        strides: stride,
        dilationRate: dilation,
        padding: padding === 'causal' ? 'valid' : padding,
        useBias: bias,
      });
      const before = padding === 'causal' ? dilation * (kernelSize - 1) : 0;
      // It has no gradient of a dilated convolution.
      const how = { before, hasGradient: dilation === 1 };
      requireTfjs(problem, layer, JSON.stringify({ ...options, bias }), how);
    }
  });

  // Without gamma or beta it fails itself.
  it('a normalisation', () => {
    const problem = problemOf({ type: 'layerNorm', inputSize: 9, eps: 1e-3 }, 4);
    requireTfjs(problem, tfl.layers.layerNormalization({ epsilon: 1e-3 }), 'layerNorm');
  });

  it('a frozen normalisation by statistics', () => {
    const layer = { type: 'batchNorm', inputSize: 9, eps: 1e-3, frozen: true } as const;
    const theirs = tfl.layers.batchNormalization({ epsilon: 1e-3, trainable: false });
    requireTfjs(problemOf(layer, 6), theirs, 'batchNorm');
  });

  it.each([true, false])('prelu, one slope for all %s', (shared) => {
    const problem = problemOf({ type: 'prelu', inputSize: 9, shared }, 7);
    const sharedAxes = shared ? [1, 2] : [1];
    requireTfjs(problem, tfl.layers.prelu({ sharedAxes }), `prelu, shared ${shared}`);
  });

  it('zero padding before, as much cut off after', () => {
    const before = [
      [0, 0],
      [4, 0],
      [0, 0],
    ] as [number, number][];
    const apply = (x: tf.Tensor): tf.Tensor => tf.slice(tf.pad(x, before), [0, 0, 0], x.shape);
    const layer = { apply, setWeights: () => undefined, trainableWeights: [] };
    const problem = problemOf({ type: 'delay', inputSize: 3, steps: 4 }, 9);
    requireTfjs(problem, layer as unknown as tfl.layers.Layer, 'delay');
  });

  it('rescaling', () => {
    const problem = problemOf({ type: 'scale', inputSize: 9, factor: 0.5, offset: -2 }, 8);
    requireTfjs(problem, tfl.layers.rescaling({ scale: 0.5, offset: -2 }), 'scale');
  });

  it.each(['relu', 'tanh', 'sigmoid', 'softplus', 'softsign', 'elu', 'selu', 'softmax'] as const)(
    'the activation %s',
    (activation) => {
      const problem = problemOf({ type: 'activation', inputSize: 9, activation }, 5);
      requireTfjs(problem, tfl.layers.activation({ activation }), activation);
    },
  );

  it.each([
    ['abs', tf.abs],
    ['neg', tf.neg],
    ['sqrt', tf.sqrt],
    ['log', tf.log],
    ['pow', (x) => tf.pow(x, 2)],
    [{ type: 'pow', alpha: 2.5 }, (x) => tf.pow(x, 2.5)],
    [{ type: 'clip', alpha: -0.2, beta: 0.5 }, (x) => tf.clipByValue(x, -0.2, 0.5)],
    ['reduceMean', (x) => tf.mean(x, -1, true)],
    ['reduceSum', (x) => tf.sum(x, -1, true)],
    ['reduceMax', (x) => tf.max(x, -1, true)],
  ] as const satisfies readonly (readonly [unknown, (x: tf.Tensor) => tf.Tensor])[])(
    'the function %j',
    (given, apply) => {
      const spec = String(given).startsWith('reduce')
        ? { type: given, inputSize: 9 }
        : { type: 'activation', inputSize: 9, activation: given };
      const drawn = problemOf(spec as LayerSpec, 6);
      const isAny = given === 'neg' || String(given).startsWith('reduce') || given === 'abs';
      const layer = { apply, setWeights: () => undefined, trainableWeights: [] };
      const problem = isAny ? drawn : positive(drawn);
      requireTfjs(problem, layer as unknown as tfl.layers.Layer, JSON.stringify(given));
    },
  );
});
