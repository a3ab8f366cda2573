/** Learnt slopes and constants: where they begin, what training changes, and what is refused. */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { loadModel, saveModel } from '../../src/formats/gatefold.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const numbers = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

describe.each(variants)('learnt slopes and constants, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());
  const create = (...layers: object[]): Model =>
    Model.create(engine, { layers: layers as unknown as LayerSpec[] });

  it.each([
    [{}, 3, { pytorch: 0.25, keras: 0 }],
    [{ shared: true }, 1, { pytorch: 0.25, keras: 0 }],
  ])('prelu %j begins where the framework does', (options, length, presets) => {
    for (const [init, value] of Object.entries(presets)) {
      const layers = [{ type: 'prelu', inputSize: 3, ...options } as const];
      const model = Model.create(engine, { layers }, { init: init as keyof typeof presets });
      const { shape, data } = model.stateDict().get('prelu.weight')!;
      expect([shape, [...data]]).toEqual([[length], Array.from({ length }, () => value)]);
      model.dispose();
    }
  });

  it('prelu: numbers that have no digits', () => {
    const model = create({ type: 'prelu', inputSize: 5 });
    const x = Float32Array.of(0, -0, -Infinity, Infinity, NaN);
    const { output } = model.forward(x, { steps: 1 });
    expect([...output]).toEqual([0, -0, -Infinity, Infinity, NaN]);
    model.dispose();
  });

  it('prelu: at 0 the gradient is that above, and the slope has none', () => {
    const model = create({ type: 'prelu', inputSize: 2 });
    const trainer = Trainer.create(model, { batch: 1, steps: 2 });
    trainer.forward(Float32Array.of(0, -2, -0, 3));
    const { input } = trainer.backward({ output: Float32Array.of(1, 2, 3, 4) });
    expect([...input!]).toEqual([1, 0.5, 3, 4]);
    expect([...trainer.gradients().get('prelu.weight')!.data]).toEqual([0, -4]);
    model.dispose();
  });

  it('prelu learns from the inputs of the model', () => {
    const model = create(
      { type: 'prelu', inputSize: 3, shared: true },
      { type: 'linear', outFeatures: 2 },
    );
    const optimizer = { type: 'sgd', learningRate: 0.5 } as const;
    const trainer = Trainer.create(model, { batch: 1, steps: 4, loss: 'mse', optimizer });
    trainer.trainOn(numbers(1, 12), numbers(2, 8));
    expect(model.stateDict().get('prelu.weight')!.data[0]).not.toBe(0.25);
    model.dispose();
  });

  it('prelu may follow a pool, and what it learnt lies in a file', () => {
    const model = create(
      { type: 'gru', inputSize: 3, hiddenSize: 6 },
      { type: 'pool', mode: 'mean' },
      { type: 'prelu' },
    );
    const optimizer = { type: 'sgd', learningRate: 0.5 } as const;
    const trainer = Trainer.create(model, { batch: 2, steps: 7, loss: 'mse', optimizer });
    trainer.trainOn(numbers(1, 42), numbers(2, 12));
    const { data } = model.stateDict().get('prelu.weight')!;
    expect(data.some((slope) => slope !== 0.25)).toBe(true);
    const loaded = loadModel(engine, saveModel(model));
    expect(loaded.description).toEqual(model.description);
    const [one, other] = [loaded, model].map((each) => each.forward(numbers(3, 21), { steps: 7 }));
    expect(sameBits(one!.output, other!.output)).toBe(true);
    [model, loaded].forEach((each) => each.dispose());
  });

  it('scale: constants of a file, which no training changes', () => {
    const model = create(
      { type: 'scale', inputSize: 3, factor: [2, -1, 0.5], offset: 1 },
      { type: 'gru', hiddenSize: 4 },
      { type: 'scale', offset: [0, 1, 2, 3] },
    );
    expect([...model.stateDict().keys()].every((name) => name.startsWith('gru.'))).toBe(true);
    const alone = create({ type: 'scale', inputSize: 3, factor: [2, -1, 0.5], offset: 1 });
    const exact = [3, -1, 2.5];
    const saved = loadModel(engine, saveModel(alone));
    for (const each of [alone, saved]) {
      expect([...each.forward(Float32Array.of(1, 2, 3), { steps: 1 }).output]).toEqual(exact);
      each.dispose();
    }
    const trainer = Trainer.create(model, { batch: 1, steps: 5, loss: 'mse' });
    const stream = model.stream();
    for (let k = 0; k < 3; k++) trainer.trainOn(numbers(k, 15), numbers(9, 20));
    const x = numbers(4, 15);
    const out = new Float32Array(20);
    stream.run(x, out, 5);
    const whole = model.forward(x, { steps: 5 });
    expect(sameBits(out, whole.output)).toBe(true);
    const h = whole.output.subarray(16).map((y, k) => y - k);
    h.forEach((value, k) => expect(value).toBeCloseTo(whole.state['gru']!.h[k]!, 6));
    model.dispose();
  });

  it('the caller’s list may change after', () => {
    const factor = [1, 2];
    const model = create({ type: 'scale', inputSize: 2, factor });
    factor[0] = 7;
    expect([...model.forward(Float32Array.of(1, 1), { steps: 1 }).output]).toEqual([1, 2]);
    model.dispose();
  });

  it.each([
    [{ type: 'prelu', shared: 1 }, 'ERR_ARGUMENT', /shared" expected true or false/],
    [{ type: 'prelu', alpha: 1 }, 'ERR_ARGUMENT', /no option "alpha"/],
    [{ type: 'scale' }, 'ERR_ARGUMENT', /expected a "factor" or an "offset"/],
    [{ type: 'scale', factor: NaN }, 'ERR_ARGUMENT', /factor" expected a number .* NaN/],
    [{ type: 'scale', factor: '2' }, 'ERR_ARGUMENT', /factor" expected a number .* '2'/],
    [{ type: 'scale', offset: null }, 'ERR_ARGUMENT', /offset" expected a number .* null/],
    [{ type: 'scale', offset: -1e39 }, 'ERR_ARGUMENT', /offset" expected a number .* -1e\+39/],
    [
      { type: 'scale', offset: [1, Infinity] },
      'ERR_ARGUMENT',
      /offset" expected a number .* Infinity/,
    ],
    [{ type: 'scale', factor: [1] }, 'ERR_SHAPE', /factor" expected .* list of 2, .* length 1/],
    [{ type: 'scale', factor: 1, offset: [] }, 'ERR_SHAPE', /offset" .* list of 2, .* length 0/],
  ])('%j is refused', (layer, code, message) => {
    const made = (): Model => create({ ...layer, inputSize: 2 });
    expect(made).toThrow(GatefoldError);
    expect(made).toThrow(expect.objectContaining({ code }));
    expect(made).toThrow(message);
  });
});
