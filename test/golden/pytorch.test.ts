import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadPytorch } from '../../src/formats/pytorch.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { Trainer } from '../../src/hosts/default.ts';
import type { Engine, Model, TrainerOptions } from '../../src/hosts/default.ts';
import type { LayerState, StateDict } from '../../src/base/tensor.ts';
import type { LayerSpec } from '../../src/ops/index.ts';
import { createEngine, variants } from '../support/engines.ts';

/** Made by make_pytorch.py, which says what each tensor is. */
const golden = readSafetensors(readFileSync(new URL('pytorch.safetensors', import.meta.url)));
const CLIP = Number(golden.metadata.clip);
const STEPS = Number(golden.metadata.steps);

const LAYERS: Record<string, (numLayers: number, hiddenSize: number) => LayerSpec> = {
  tanh: (numLayers, hiddenSize) => ({ type: 'rnn', numLayers, hiddenSize }),
  relu: (numLayers, hiddenSize) => ({ type: 'rnn', nonlinearity: 'relu', numLayers, hiddenSize }),
  lstm: (numLayers, hiddenSize) => ({ type: 'lstm', numLayers, hiddenSize }),
  gru: (numLayers, hiddenSize) => ({ type: 'gru', numLayers, hiddenSize }),
};
const CASES = Object.keys(LAYERS).flatMap((name) =>
  [1, 2].map((layers) => [name, layers] as const),
);

const OPTIMIZERS: Record<string, NonNullable<TrainerOptions['optimizer']>> = {
  adam: { type: 'adam', lr: 0.01 },
  adamw: { type: 'adamw', lr: 0.01, weightDecay: 0.1 },
  rmsprop: { type: 'rmsprop', lr: 0.01 },
  sgd: { type: 'sgd', lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 },
};

/** Both sides round to f32 at every operation, in another order. */
const FORWARD_TOLERANCE = 2e-6;
const GRADIENT_TOLERANCE = 2e-6;
/** An optimizer divides by its second moment, which enlarges the error of a small gradient. */
const TRAINED_TOLERANCE = 1e-5;

function tensor(name: string): { shape: readonly number[]; data: Float32Array } {
  const found = golden.tensors.get(name);
  if (found === undefined) throw new Error(`the fixture has no ${name}`);
  return found;
}

function expectClose(actual: Float32Array, name: string, tolerance: number): void {
  const expected = tensor(name).data;
  expect(actual.length, name).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs), 1e-3);
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!)));
  expect(worst / scale, name).toBeLessThan(tolerance);
}

/** Entries `<prefix><name>` of the fixture as a model's, whose one recurrent layer is `layer`. */
function expectAll(actual: StateDict, prefix: string, layer: string, tolerance: number): void {
  expect(actual.size).toBeGreaterThan(0);
  for (const [name, { data }] of actual) {
    expectClose(data, prefix + name.slice(layer.length), tolerance);
  }
}

describe.each(variants)('PyTorch and %s SIMD', (variant) => {
  let engine: Engine;
  beforeAll(() => {
    engine = createEngine(variant);
  });
  afterAll(() => engine.dispose());

  function createCase(name: string, layers: number): { model: Model; layer: string } {
    const prefix = `${name}-${layers}`;
    const [, , inputSize] = tensor(`${prefix}.x`).shape;
    const [, , hiddenSize] = tensor(`${prefix}.output`).shape;
    const spec = { ...LAYERS[name]!(layers, hiddenSize!), inputSize } as LayerSpec;
    const options = { description: { layers: [spec] }, prefix: `${prefix}.param.` };
    const model = loadPytorch(engine, golden, options);
    return { model, layer: `${model.description.layers[0]!.name}.` };
  }

  it.each(CASES)('%s of %d layers: outputs, final states and all gradients', (name, layers) => {
    const { model, layer } = createCase(name, layers);
    const prefix = `${name}-${layers}`;
    const data = (key: string): Float32Array => tensor(`${prefix}.${key}`).data;
    const [steps, batch] = tensor(`${prefix}.x`).shape as [number, number];
    const stateOf = (h: string, c: string): LayerState =>
      name === 'lstm' ? { h: data(h), c: data(c) } : { h: data(h) };
    const key = layer.slice(0, -1);
    const trainer = Trainer.create(model, { batch, steps });
    trainer.zeroGradients();
    const initial = { [key]: stateOf('h0', 'c0') };
    const { output, state } = trainer.forward(data('x'), { steps, state: initial });
    expectClose(output, `${prefix}.output`, FORWARD_TOLERANCE);
    expectClose(state[key]!.h, `${prefix}.h`, FORWARD_TOLERANCE);
    const finals = { [key]: stateOf('w.h', 'w.c') };
    const back = trainer.backward({ output: data('w.output'), state: finals });
    expectClose(back.input!, `${prefix}.grad.x`, GRADIENT_TOLERANCE);
    expectClose(back.state[key]!.h, `${prefix}.grad.h0`, GRADIENT_TOLERANCE);
    if (name === 'lstm') {
      expectClose(state[key]!.c!, `${prefix}.c`, FORWARD_TOLERANCE);
      expectClose(back.state[key]!.c!, `${prefix}.grad.c0`, GRADIENT_TOLERANCE);
    }
    expectAll(trainer.gradients(), `${prefix}.grad.`, layer, GRADIENT_TOLERANCE);
    trainer.dispose();
    model.dispose();
  });

  const runs = CASES.flatMap(([name, layers]) =>
    Object.keys(OPTIMIZERS).map((optimizer) => [name, layers, optimizer] as const),
  );
  it.each(runs)('%s of %d layers: three clipped steps of %s', (name, layers, optimizer) => {
    const { model, layer } = createCase(name, layers);
    const prefix = `${name}-${layers}`;
    const { data: x, shape } = tensor(`${prefix}.x`);
    const [steps, batch] = shape as [number, number];
    const trainer = Trainer.create(model, {
      batch,
      steps,
      loss: 'mse',
      optimizer: OPTIMIZERS[optimizer]!,
      gradClip: { norm: CLIP },
    });
    const norms = new Float32Array(STEPS);
    for (let step = 0; step < STEPS; step++) {
      trainer.resetState();
      norms[step] = trainer.trainOn(x, tensor(`${prefix}.target`).data).gradNorm;
    }
    expectClose(norms, `${prefix}.${optimizer}.norms`, TRAINED_TOLERANCE);
    expect(norms[0]).toBeGreaterThan(CLIP);
    expectAll(model.stateDict(), `${prefix}.${optimizer}.`, layer, TRAINED_TOLERANCE);
    trainer.dispose();
    model.dispose();
  });

  it('embedding, LSTM and linear layer: losses and parameters of three steps', () => {
    const [numEmbeddings, embeddingDim] = tensor('text.param.embedding.weight').shape;
    const [, hiddenSize] = tensor('text.param.lstm.weight_hh_l0').shape;
    const layers: LayerSpec[] = [
      { type: 'embedding', numEmbeddings: numEmbeddings!, embeddingDim: embeddingDim! },
      { type: 'lstm', hiddenSize: hiddenSize! },
      { type: 'linear', outFeatures: numEmbeddings! },
    ];
    const model = loadPytorch(engine, golden, { description: { layers }, prefix: 'text.param.' });
    const [steps, batch] = tensor('text.x').shape as [number, number];
    const trainer = Trainer.create(model, {
      batch,
      steps,
      loss: 'cross-entropy',
      optimizer: OPTIMIZERS.adam!,
      gradClip: { norm: CLIP },
    });
    const x = Int32Array.from(tensor('text.x').data);
    const target = Int32Array.from(tensor('text.target').data);
    const losses = new Float32Array(STEPS);
    const norms = new Float32Array(STEPS);
    for (let step = 0; step < STEPS; step++) {
      trainer.resetState();
      const { loss, gradNorm } = trainer.trainOn(x, target);
      losses[step] = loss;
      norms[step] = gradNorm;
    }
    expectClose(losses, 'text.losses', FORWARD_TOLERANCE);
    expectClose(norms, 'text.adam.norms', TRAINED_TOLERANCE);
    expectAll(model.stateDict(), 'text.adam.', '', TRAINED_TOLERANCE);
    trainer.dispose();
    model.dispose();
  });
});
