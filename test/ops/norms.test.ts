/**
 * Normalisation by statistics: what training leaves as it is, what is refused, and that files keep
 * it; and how two normalisations are defined where random models do not look.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec, type StateDict } from '../../src/hosts/default.ts';
import { loadModel, saveModel } from '../../src/formats/gatefold.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const numbers = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

const around = (norm: LayerSpec): LayerSpec[] => [
  { type: 'linear', inFeatures: 3, outFeatures: 5 },
  norm,
  { type: 'gru', hiddenSize: 4 },
];

const STATISTICS: StateDict = new Map(
  Object.entries({
    weight: [2, -1, 0.5],
    bias: [0, 1, -1],
    running_mean: [1, -2, 0],
    running_var: [0, 4, 0.25],
  }).map(([role, data]) => [
    `batchNorm.${role}`,
    { shape: [data.length], data: Float32Array.from(data) },
  ]),
);

describe.each(variants)('normalisations, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it('batchNorm: y = (x - mean) / sqrt(var + eps) gamma + beta, from a file too', () => {
    const layers = [{ type: 'batchNorm', inputSize: 3, eps: 1 }] as const;
    const model = Model.create(engine, { layers });
    model.loadStateDict(STATISTICS);
    const x = Float32Array.of(1, 2, 3, -1, 0, 4);
    const exact = [
      [0, (-(2 + 2) / Math.sqrt(5)) * 1 + 1, 3 / Math.sqrt(1.25) / 2 - 1],
      [-4, -2 / Math.sqrt(5) + 1, 4 / Math.sqrt(1.25) / 2 - 1],
    ].flat();
    for (const each of [model, loadModel(engine, saveModel(model))]) {
      const { output } = each.forward(x, { steps: 2 });
      exact.forEach((y, k) => expect(output[k]).toBeCloseTo(y, 6));
      each.dispose();
    }
  });

  it('fresh, batchNorm has PyTorch’s statistics, and what it learnt of other sizes stays out', () => {
    const model = Model.create(engine, { layers: [{ type: 'batchNorm', inputSize: 1 }] });
    const fresh = [...model.stateDict()].map(([name, { data }]) => [name, data[0]]);
    const names = ['weight', 'bias', 'running_mean', 'running_var'];
    expect(fresh).toEqual([1, 0, 0, 1].map((value, k) => [`batchNorm.${names[k]}`, value]));
    expect(() => model.loadStateDict(STATISTICS)).toThrow(/expected shape \[1\], got \[3\]/);
    model.dispose();
  });

  it('a negative variance is refused, and nothing is changed', () => {
    const model = Model.create(engine, { layers: [{ type: 'batchNorm', inputSize: 3 }] });
    const wrong = new Map(STATISTICS);
    wrong.set('batchNorm.running_var', { shape: [3], data: Float32Array.of(1, -0.5, 1) });
    expect(() => model.loadStateDict(wrong)).toThrow(
      '"batchNorm.running_var" expected a number of at least 0, got -0.5',
    );
    expect([...model.stateDict().get('batchNorm.running_var')!.data]).toEqual([1, 1, 1]);
    model.dispose();
  });

  it.each([
    ['decay', { weightDecay: 0.1 }, undefined],
    ['a group', {}, [{ parameters: ['batchNorm'], learningRate: 1, weightDecay: 0.1 }]],
  ])('training leaves a frozen batchNorm as it is, with %s', (_, decay, groups) => {
    const model = Model.create(engine, { layers: around({ type: 'batchNorm', frozen: true }) });
    const trainer = Trainer.create(model, {
      batch: 2,
      steps: 6,
      loss: { type: 'mse' },
      optimizer: { type: 'sgd', learningRate: 0.1, momentum: 0.9, ...decay },
      ...(groups && { groups }),
    });
    const before = model.stateDict();
    for (let k = 0; k < 3; k++) trainer.trainOn(numbers(k, 36), numbers(9, 48));
    for (const [name, { data }] of model.stateDict()) {
      const isFixed = name.startsWith('batchNorm.');
      expect(sameBits(data, before.get(name)!.data), name).toBe(isFixed);
    }
    trainer.zeroGradients();
    trainer.forward(numbers(4, 36));
    trainer.backward({ output: numbers(5, 48) });
    for (const [name, { data }] of trainer.gradients()) {
      expect(
        data.every((value) => value === 0),
        name,
      ).toBe(name.startsWith('batchNorm.'));
    }
    trainer.dispose();
    model.dispose();
  });

  it('what its parameters become in a trained model counts at once', () => {
    const model = Model.create(engine, { layers: around({ type: 'batchNorm', frozen: true }) });
    const stream = model.stream();
    const [x, first, second] = [numbers(1, 3), new Float32Array(4), new Float32Array(4)];
    stream.step(x, first);
    const tensors = model.stateDict();
    tensors.get('batchNorm.running_mean')!.data.fill(3);
    model.loadStateDict(tensors);
    stream.reset();
    stream.step(x, second);
    expect(sameBits(first, second)).toBe(false);
    expect(sameBits(second, model.forward(x, { steps: 1 }).output)).toBe(true);
    model.dispose();
  });

  it('rmsNorm: a row of zeros stays one, and eps is that of float32', () => {
    const model = Model.create(engine, { layers: [{ type: 'rmsNorm', inputSize: 3 }] });
    const tiny = 2 ** -12;
    const { output } = model.forward(Float32Array.of(0, 0, 0, tiny, tiny, -tiny), { steps: 2 });
    const y = tiny / Math.sqrt(tiny ** 2 + 2 ** -23);
    [0, 0, 0, y, y, -y].forEach((value, k) => expect(output[k]).toBeCloseTo(value, 6));
    model.dispose();
  });
});
