/** Transposed convolutions in gatefold, in TensorFlow.js and in onnxruntime-web. */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec, type StateDict } from '../../src/hosts/default.ts';
import { createEngine, variants } from '../support/engines.ts';
import { drawConvTranspose } from '../support/layer-stacks.ts';
import { createRandom } from '../support/random.ts';
import { encodeOnnx } from './onnx-writer.ts';
import { maxError } from './problems.ts';
import { prepareTfjs } from './tfjs.ts';

/** Both sides are float32; what is compared counts by its largest element. */
const TOLERANCE = 2e-6;
const [steps, inputs, outputs] = [11, 5, 6];

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const engines = variants.map((variant) => createEngine(variant));
beforeAll(prepareTfjs);
afterAll(() => engines.forEach((engine) => engine.dispose()));

type Layer = Extract<LayerSpec, { type: 'convTranspose1d' }>;

const numbers = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));
const x = numbers(3, steps * inputs);

/** Weight [I, O, K], and a bias. */
function parametersOf({ kernelSize, bias }: Layer): StateDict {
  const tensors: StateDict = new Map();
  const shape = [inputs, outputs, kernelSize];
  const data = numbers(4, inputs * outputs * kernelSize);
  tensors.set('convTranspose1d.weight', { shape, data });
  if (bias !== false)
    tensors.set('convTranspose1d.bias', { shape: [outputs], data: numbers(5, outputs) });
  return tensors;
}

function requireClose(ours: Float32Array, theirs: ArrayLike<number>, what: string): void {
  const size = Math.max(...Array.from(theirs, Math.abs));
  expect(ours.length, what).toBe(theirs.length);
  expect(maxError(ours, theirs) / size, what).toBeLessThan(TOLERANCE);
}

it.each([
  { kernelSize: 3, stride: 1, padding: 'valid' },
  { kernelSize: 4, stride: 2, padding: 'valid' },
  { kernelSize: 3, stride: 1, padding: 'same' },
  { kernelSize: 4, stride: 2, padding: 'same' },
  { kernelSize: 5, stride: 2, padding: 'same' },
  { kernelSize: 3, stride: 2, padding: 'same' },
  { kernelSize: 4, stride: 3, padding: 'same', bias: false },
  { kernelSize: 2, stride: 3, padding: 'same' },
] as const)('TensorFlow.js, with gradients: %o', (options) => {
  const layer: Layer = {
    type: 'convTranspose1d',
    inChannels: inputs,
    outChannels: outputs,
    ...options,
  };
  const { kernelSize, stride, padding } = options;
  const theirs = tfl.layers.conv2dTranspose({
    filters: outputs,
    kernelSize: [kernelSize, 1],
    strides: [stride, 1],
    padding,
    useBias: layer.bias !== false,
  });
  theirs.build([null, steps, 1, inputs]);
  const parameters = parametersOf(layer);
  // Theirs is [K, 1, O, I].
  const turn = (kernel: tf.Tensor): tf.Tensor => tf.transpose(kernel, [2, 1, 0]);
  theirs.setWeights(
    [...parameters.values()].map(({ shape, data }) => {
      const tensor = tf.tensor(data, [...shape]);
      return shape.length > 1 ? tf.expandDims(turn(tensor), 1) : tensor;
    }),
  );
  const given = tf.tensor4d(x, [1, steps, 1, inputs]);
  const apply = (input: tf.Tensor): tf.Tensor => theirs.apply(input) as tf.Tensor;
  const output = apply(given);
  const slopes = numbers(6, output.size);
  const dy = tf.tensor(slopes, output.shape);
  const loss = (input: tf.Tensor): tf.Scalar => tf.sum(tf.mul(apply(input), dy));
  const dx = tf.grad(loss)(given);
  const variables = theirs.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const { grads } = tf.variableGrads(() => loss(given), variables);
  for (const engine of engines) {
    const model = Model.create(engine, { layers: [layer] });
    model.loadStateDict(parameters);
    const trainer = Trainer.create(model, { batch: 1, steps });
    requireClose(model.forward(x, { steps }).output, output.dataSync(), 'output');
    trainer.forward(x);
    const back = trainer.backward({ output: slopes });
    requireClose(back.input!, dx.dataSync(), 'input');
    [...trainer.gradients()].forEach(([name, { data, shape }], k) => {
      const wanted = grads[variables[k]!.name]!;
      const own = shape.length > 1 ? turn(tf.squeeze(wanted, [1])) : wanted;
      requireClose(data, own.dataSync(), name);
    });
    trainer.dispose();
    model.dispose();
  }
});

/** [rows, columns] as [columns, rows]. */
const transposed = (values: Float32Array, columns: number): Float32Array => {
  const rows = values.length / columns;
  return values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!);
};

it('onnxruntime: 40 transposed convolutions of any padding, stride and dilation', async () => {
  let compared = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const { activation: _, ...drawn } = drawConvTranspose(
      createRandom(seed),
      outputs,
    ) as Partial<Layer>;
    const layer = { ...drawn, type: 'convTranspose1d', inChannels: inputs } as Required<Layer>;
    const { stride, dilation, padding, outputPadding, kernelSize } = layer;
    const more = dilation * (kernelSize - 1) + 1 - stride;
    // What it would leave out is less than nothing; and it adds fewer steps than a stride.
    if ((padding === 'same' && more < 0) || outputPadding >= stride) continue;
    const both = typeof padding === 'number' ? padding : 0;
    const pads =
      padding === 'same'
        ? [Math.floor(more / 2), Math.ceil(more / 2)]
        : typeof padding === 'object'
          ? padding
          : [both, both];
    const parameters = parametersOf(layer);
    const dims = [1, inputs, steps];
    const names = [...parameters.keys()];
    const bytes = encodeOnnx({
      inputs: [{ name: 'x', dims }],
      outputs: ['y'],
      initializers: [...parameters].map(([name, { shape, data }]) => ({ name, dims: shape, data })),
      nodes: [
        {
          opType: 'ConvTranspose',
          inputs: ['x', ...names],
          outputs: ['y'],
          attributes: {
            strides: Int32Array.of(stride),
            dilations: Int32Array.of(dilation),
            output_padding: Int32Array.of(outputPadding),
            pads: Int32Array.from(pads),
          },
        },
      ],
    });
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
    const { y } = await session.run({ x: new ort.Tensor('float32', transposed(x, inputs), dims) });
    await session.release();
    const theirs = y!.data as Float32Array;
    for (const engine of engines) {
      const model = Model.create(engine, { layers: [layer] });
      model.loadStateDict(parameters);
      const { output } = model.forward(x, { steps });
      requireClose(output, transposed(theirs, theirs.length / outputs), JSON.stringify(layer));
      model.dispose();
    }
    compared++;
  }
  expect(compared).toBeGreaterThan(30);
});
