/** Pools of windows and repeated steps: what no comparison with the reference tells. */
import { afterAll, expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { dimsOf, layersOf } from '../reference/layers.ts';
import { createEngine } from '../support/engines.ts';
import { gradcheck, smallProblem } from '../support/gradcheck.ts';
import { drawWindows } from '../support/layer-stacks.ts';

const engine = createEngine('baseline');
afterAll(() => engine.dispose());

const create = (...layers: object[]): Model =>
  Model.create(engine, { layers: layers as unknown as LayerSpec[] });

it('the reference pools and repeats as differences say', () => {
  for (let seed = 0; seed < 40; seed++) {
    const problem = smallProblem(
      (random) => ({
        layers: [
          { type: 'upsample1d', size: random.integer(1, 3), inputSize: random.integer(1, 3) },
          { type: 'gru', hiddenSize: random.integer(1, 4) },
          { type: 'averagePool1d', ...drawWindows(random), countPadding: random.unit() < 0.5 },
          { type: 'linear', outFeatures: random.integer(1, 4) },
          { type: 'maxPool1d', ...drawWindows(random) },
        ] as LayerSpec[],
      }),
      seed,
    );
    const places = layersOf(problem.description);
    if (dimsOf(places, problem.dims).some(({ after }) => after.steps < 1)) continue;
    gradcheck(problem, `seed ${seed}`);
  }
});

it('a maximum gives its gradient to the first largest step', () => {
  const model = create(
    { type: 'linear', inFeatures: 2, outFeatures: 1, bias: false },
    { type: 'maxPool1d', poolSize: 2 },
  );
  model.loadStateDict(new Map([['linear.weight', { shape: [1, 2], data: Float32Array.of(1, 1) }]]));
  const optimizer = { type: 'sgd', learningRate: 1 } as const;
  const trainer = Trainer.create(model, { loss: 'mse', optimizer, steps: 2, batch: 1 });
  trainer.trainOn(Float32Array.of(1, 0, 0, 1), Float32Array.of(0));
  const [first, second] = model.stateDict().get('linear.weight')!.data;
  expect(first).not.toBe(1);
  expect(second).toBe(1);
});

it('the largest of negative steps is no zero of the padding', () => {
  const model = create({
    type: 'maxPool1d',
    poolSize: 3,
    stride: 1,
    padding: 'same',
    inputSize: 1,
  });
  const { output } = model.forward(Float32Array.of(-1, -2, -3, -4), { steps: 4 });
  expect([...output]).toEqual([-1, -1, -2, -3]);
});

it('a window ends with the valid steps of its row', () => {
  const model = create({
    type: 'averagePool1d',
    poolSize: 2,
    stride: 1,
    padding: 'same',
    countPadding: false,
    inputSize: 1,
  });
  const x = Float32Array.of(1, 3, 5, 7, 20, 40, 0, 0);
  const { output } = model.forward(x, { steps: 4, batch: 2, batchFirst: true, lengths: [4, 2] });
  expect([...output]).toEqual([2, 4, 6, 7, 30, 40, 0, 0]);
});

it('branches of equal strides are joined', () => {
  const model = create(
    {
      type: 'conv1d',
      name: 'a',
      inChannels: 2,
      outChannels: 2,
      kernelSize: 3,
      stride: 2,
      padding: 'same',
    },
    { type: 'maxPool1d', name: 'b', poolSize: 2, padding: 'same', inputs: ['input'], inputSize: 2 },
    { type: 'concat', name: 'both', inputs: ['a', 'b'] },
    { type: 'upsample1d', size: 2 },
  );
  for (let pass = 0; pass < 2; pass++) {
    const { output } = model.forward(new Float32Array(2 * 7).fill(1), { steps: 7 });
    expect(output.length).toBe(4 * 8);
    expect(output[31]).toBe(1);
  }
});

it.each([
  [{ type: 'maxPool1d', poolSize: 2, padding: [2, 0] }, /padding\[0\]/],
  [{ type: 'averagePool1d', poolSize: 2, countPadding: 1 }, /countPadding/],
  [{ type: 'maxPool1d', poolSize: 2, stride: 0 }, /stride/],
  [{ type: 'maxPool1d', poolSize: 0 }, /poolSize/],
  [{ type: 'upsample1d' }, /size/],
])('%o is refused', (layer, message) => {
  expect(() => create({ ...layer, inputSize: 1 })).toThrow(message);
});

it('a stream is refused with the reason', () => {
  for (const layer of [
    { type: 'averagePool1d', poolSize: 2, padding: 'causal' },
    { type: 'upsample1d', size: 2 },
  ]) {
    const model = create({ ...layer, inputSize: 1 });
    expect(() => model.stream()).toThrow(/several steps at once/);
  }
});
