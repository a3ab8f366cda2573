/**
 * Sizes are exact where they are computed, refused where no memory has them, and given back where a
 * call fails.
 */
import { describe, expect, it } from 'vitest';
import { kernelsOf } from '../../src/engine/engine.ts';
import { GatefoldError, Model, Trainer } from '../../src/hosts/default.ts';
import type { Engine, LayerSpec, ModelDescription } from '../../src/hosts/default.ts';
import { Kernels } from '../../src/kernels/index.ts';
import { Plan } from '../../src/engine/plan.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { requireFlat } from '../support/soak.ts';

const linear = (n: number): ModelDescription => ({
  layers: [{ type: 'linear', inFeatures: n, outFeatures: n }],
});

function codeOf(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(GatefoldError);
    return (error as GatefoldError).code;
  }
  return 'no error';
}

/** Bytes of the largest block that an engine can still give. */
function largest(engine: Engine): number {
  const { arena } = kernelsOf(engine);
  let [low, high] = [0, engine.maxBytes];
  while (high - low > 64) {
    const middle = (low + high) / 2;
    try {
      arena.free(arena.allocate(Math.floor(middle), 'a probe'));
      low = middle;
    } catch {
      high = middle;
    }
  }
  return low;
}

describe('sizes', () => {
  const wrong = [-1, -64, 0.5, NaN, Infinity, -Infinity, 2 ** 53, '64', undefined];

  it.each(wrong)('an arena refuses %s bytes, and stays whole', (bytes) => {
    const engine = createEngine('baseline', 2 ** 20);
    const { arena } = kernelsOf(engine);
    const before = largest(engine);
    expect(codeOf(() => arena.allocate(bytes as number, 'a test'))).toBe('ERR_MEMORY');
    expect(largest(engine)).toBe(before);
  });

  it.each(wrong)('a plan refuses %s elements', (length) => {
    const plan = new Plan();
    plan.reserve(100);
    expect(codeOf(() => plan.reserve(length as number))).toBe('ERR_MEMORY');
    expect(plan.bytes).toBe(448);
  });

  it('a plan adds up exactly, or refuses', () => {
    const plan = new Plan();
    plan.reserve(2 ** 50);
    expect(plan.bytes).toBe(2 ** 52);
    plan.reserve(2 ** 49);
    plan.reserve(2 ** 48);
    expect(codeOf(() => plan.reserve(2 ** 49))).toBe('ERR_MEMORY');
    expect(plan.bytes).toBe(2 ** 52 + 2 ** 51 + 2 ** 50);
  });

  it('the kernels compute the scratch of CTC as exact arithmetic does', () => {
    const { run } = kernelsOf(createEngine('baseline'));
    const random = createRandom(3);
    const pairs = [
      [100, 11_000_000],
      [32_767, 32_768],
      [40_000, 14_000],
      [2 ** 25, 2 ** 25],
      ...Array.from({ length: 2000 }, () => [
        random.integer(1, 2 ** 25),
        random.integer(0, 2 ** 25),
      ]),
    ] as [number, number][];
    for (const [steps, labels] of pairs) {
      const exact = (2n * BigInt(steps) + 2n) * (2n * BigInt(labels) + 1n);
      expect(BigInt(run.loss_ctc_scratch(steps, labels))).toBe(exact);
    }
  });

  it('of a call that no memory has are refused before anything is taken', () => {
    const engine = createEngine('baseline');
    const model = Model.create(engine, linear(4));
    const most = 2 ** 31 - 1;
    const before = engine.bytes;
    const calls: (() => unknown)[] = [
      () => Trainer.create(model, { batch: most, steps: most }),
      () =>
        Trainer.create(model, { batch: 1, steps: most, loss: { type: 'ctc', maxLabels: most } }),
      () => model.stream({ batch: most }),
      () => model.warmUp({ batch: most, steps: most }),
      () => Model.create(engine, linear(2 ** 24)),
    ];
    for (const call of calls) expect(codeOf(call)).toBe('ERR_MEMORY');
    expect(engine.bytes).toBe(before);
  });

  it('of a result that the host does not give are an error of memory', () => {
    const layers: LayerSpec[] = [{ type: 'linear', inFeatures: 1, outFeatures: 2 ** 20 }];
    const model = Model.create(createEngine('baseline'), { layers }, { init: 'zeros' });
    expect(codeOf(() => model.forward(new Float32Array(1e5), { steps: 1e5 }))).toBe('ERR_MEMORY');
  });
});

describe('the memory of CTC', () => {
  const classes = 4;
  const copying: ModelDescription = {
    layers: [{ type: 'linear', inFeatures: classes, outFeatures: classes }],
  };
  const x = (steps: number): Float32Array =>
    Float32Array.from(createRandom(1).vector(steps * classes, 1));

  it('is taken by Trainer.create, as much as any step will need', () => {
    const engine = createEngine('baseline');
    const model = Model.create(engine, copying);
    const trainer = Trainer.create(model, { batch: 1, steps: 50, loss: 'ctc' });
    const { arena } = kernelsOf(engine);
    const allocate = arena.allocate.bind(arena);
    const taken: number[] = [];
    arena.allocate = (...args) => (taken.push(args[0]), allocate(...args));
    for (const count of [0, 1, 25, 50, 51, 200]) {
      const labels = Int32Array.from({ length: count }, (_, k) => 1 + (k % 3));
      trainer.evaluateWindow(x(50), labels, { targetLengths: [count] });
    }
    expect(taken).toEqual([]);
  });

  it.each([
    [100, 11_000_000],
    [32_767, 32_768],
    [40_000, 14_000],
  ])('%i steps and %i labels touch no other model', (steps, count) => {
    const engine = createEngine('baseline');
    const models = [1, 2].map((seed) => Model.create(engine, linear(64), { seed }));
    const [before, after] = [models[0]!.stateDict(), models[1]!.stateDict()];
    const model = Model.create(engine, {
      layers: [{ type: 'linear', inFeatures: 1, outFeatures: 4 }],
    });
    const trainer = Trainer.create(model, { batch: 1, steps, loss: 'ctc' });
    const labels = new Int32Array(count).fill(1);
    const call = (): number =>
      trainer.evaluateWindow(new Float32Array(steps), labels, { targetLengths: [count] });
    if (count > steps) expect(call()).toBe(Infinity);
    else expect(call).toThrow(/"targetLengths\[0\]" is 14000, but .* maxLabels: 14000/);
    expect(models[0]!.stateDict()).toEqual(before);
    expect(models[1]!.stateDict()).toEqual(after);
    Model.create(engine, linear(64)).dispose();
  });

  it('gives rows of more labels than steps an infinite loss and no gradient', () => {
    const engine = createEngine('baseline');
    const model = Model.create(engine, copying);
    const options = { batch: 2, steps: 6, optimizer: { type: 'sgd', lr: 0 } } as const;
    const target = new Int32Array(2 * 9).fill(1).fill(2, 9, 11);
    const targetLengths = [9, 2];
    const run = (zeroInfinity: boolean): { loss: number; gradient: Float32Array } => {
      const loss = { type: 'ctc', zeroInfinity, maxLabels: 4 } as const;
      const trainer = Trainer.create(model, { ...options, loss });
      trainer.forward(Float32Array.from(createRandom(5).vector(6 * 2 * classes, 1)));
      const back = trainer.backward({ target, targetLengths });
      trainer.dispose();
      return { loss: back.loss!, gradient: back.input! };
    };
    expect(run(false).loss).toBe(Infinity);
    const { loss, gradient } = run(true);
    expect(Number.isFinite(loss)).toBe(true);
    gradient.forEach((value, k) => {
      const row = Math.floor(k / classes) % 2;
      if (row === 0) expect(value).toBe(0);
    });
    expect(gradient.some((value) => value !== 0)).toBe(true);
  });
});

describe('growth', () => {
  it('a create that fails gives its memory back at once', () => {
    const engine = createEngine('baseline', 8 * 2 ** 20);
    const model = Model.create(engine, linear(4));
    const before = largest(engine);
    // Its parameters fit, what brings them in does not.
    expect(codeOf(() => Model.create(engine, linear(1380)))).toBe('ERR_MEMORY');
    expect(largest(engine)).toBe(before);
    const adam = { type: 'adam', lr: 1 } as const;
    const attempts: (() => unknown)[] = [
      () => Trainer.create(model, { batch: 64, steps: 4000, optimizer: adam }),
      () => model.forward(new Float32Array(4 * 200_000), { steps: 1, batch: 200_000 }),
      () => model.warmUp({ batch: 200_000 }),
      () => model.stream({ batch: 200_000 }),
      () => model.stream({ state: { nobody: {} } as never }),
      () =>
        Kernels.create(engine).matmul(
          new Float32Array(2 ** 21),
          new Float32Array(2 ** 21),
          2 ** 20,
          2,
          2 ** 20,
        ),
    ];
    for (const attempt of attempts) {
      expect(codeOf(attempt)).not.toBe('no error');
      expect(largest(engine)).toBe(before);
    }
  });

  it('what was taken for a call that fails midway comes back', () => {
    const engine = createEngine('baseline', 2 ** 20);
    const model = Model.create(engine, linear(4));
    const kernels = kernelsOf(engine);
    const before = largest(engine);
    const run = kernels.run.panels_rearrange;
    const failing = { ...kernels.run, panels_rearrange: () => expect.fail('as a trap would') };
    Object.assign(kernels, { run: failing });
    expect(() => model.stateDict()).toThrow(/as a trap would/);
    expect(() =>
      model.loadStateDict(
        new Map([
          ['linear.weight', { shape: [4, 4], data: new Float32Array(16) }],
          ['linear.bias', { shape: [4], data: new Float32Array(4) }],
        ]),
      ),
    ).toThrow(/as a trap would/);
    expect(() => Model.create(engine, linear(8))).toThrow(/as a trap would/);
    Object.assign(kernels, { run: { ...failing, panels_rearrange: run } });
    expect(largest(engine)).toBe(before);
    expect(model.stateDict().size).toBe(2);
  });

  it('a workspace whose kernels trap gives its memory back', () => {
    const engine = createEngine('baseline', 2 ** 20);
    const layers: LayerSpec[] = [{ type: 'lstm', inputSize: 2, hiddenSize: 4 }];
    const model = Model.create(engine, { layers });
    const kernels = kernelsOf(engine);
    const before = largest(engine);
    const { run } = kernels;
    Object.assign(kernels, {
      run: { ...run, sequence_prepare: () => expect.fail('as a trap would') },
    });
    expect(() => model.stream()).toThrow(/as a trap would/);
    expect(() => Trainer.create(model, { batch: 1, steps: 4 })).toThrow(/as a trap would/);
    expect(() => model.forward(new Float32Array(2), { steps: 1 })).toThrow(/as a trap would/);
    expect(largest(engine)).toBe(before);
  });

  it('a soak over 1,000 shapes is flat', () => requireFlat(1000));
});
