/** What once went wrong without a word: values, errors and counts that have to be right. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  GatefoldError,
  Model,
  ReduceOnPlateau,
  Trainer,
  cosineDecay,
  linearDecay,
  type LossChoice,
  type ModelDescription,
  type OptimizerOptions,
  type TrainerOptions,
} from '../../src/hosts/default.ts';
import { loadTrainer, saveTrainer } from '../../src/formats/safetensors.ts';
import { createEngine } from '../support/engines.ts';

const engine = createEngine('relaxed');
afterAll(() => engine.dispose());

const WIDE: ModelDescription = {
  layers: [
    { type: 'gru', inputSize: 2, hiddenSize: 3 },
    { type: 'linear', outFeatures: 2 },
  ],
};
const TOKENS: ModelDescription = {
  layers: [
    { type: 'embedding', numEmbeddings: 6, embeddingDim: 4 },
    { type: 'gru', hiddenSize: 3 },
    { type: 'linear', outFeatures: 6 },
  ],
};
const POOLED: ModelDescription = {
  layers: [WIDE.layers[0]!, { type: 'pool', mode: 'mean' }, WIDE.layers[1]!],
};

/** A trainer of two rows of three steps over a new model. */
function create(description: ModelDescription, options: Partial<TrainerOptions>): Trainer {
  const model = Model.create(engine, description, { seed: 4 });
  return Trainer.create(model, { batch: 2, steps: 3, ...options });
}

const x = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i));
const tokens = Int32Array.of(1, 2, 3, 4, 5, 0);
const valuesOf = (trainer: Trainer): number[] =>
  [...trainer.snapshot().tensors.values()].flatMap(({ data }) => [...data]);

/** Runs what has to be refused with this message and leave every number as it was. */
function refused(trainer: Trainer, run: () => unknown, message: RegExp): void {
  const before = valuesOf(trainer);
  expect(run).toThrow(message);
  expect(run).toThrow(GatefoldError);
  expect(valuesOf(trainer)).toEqual(before);
}

describe('targets', () => {
  it('of bce are from 0 to 1 where they are read', () => {
    const trainer = create(WIDE, { loss: 'bce' });
    const target = new Float32Array(12).fill(0.5);
    target[7] = 1.5;
    refused(trainer, () => trainer.trainOn(x, target), /from 0 to 1 .*'bce', got 1.5 at index 7/);
    target[7] = -1e-9;
    refused(trainer, () => trainer.trainOn(x, target), /'bce'/);
    // Row 1 has one step: element 7 is of its second.
    expect(trainer.trainOn(x, target, { lengths: [3, 1] }).finite).toBe(true);
    trainer.forward(x, { lengths: [3, 1], batchFirst: true });
    target[7] = 0.5;
    target[8] = 7;
    // By rows, it is element 8 that is behind the first step of row 1.
    expect(trainer.backward({ target }).loss).toBeGreaterThan(0);
  });

  it('and tokens behind the valid steps are not read', () => {
    const trainer = create(TOKENS, { loss: 'cross-entropy' });
    const padded = Int32Array.of(1, 2, 3, -1, 5, 99);
    const given = { lengths: [3, 1] };
    const { loss } = create(TOKENS, { loss: 'cross-entropy' }).trainOn(tokens, tokens, given);
    expect(trainer.trainOn(padded, padded, given).loss).toBe(loss);
    expect(() => trainer.trainOn(padded, tokens)).toThrow(/tokens from 0 to 5, got -1 at index 3/);
    const { model } = trainer;
    const over = { steps: 3, batch: 2, ...given };
    expect(model.forward(padded, over)).toEqual(model.forward(tokens, over));
  });

  it('of lists and arrays of other kinds are those of float32 and of whole numbers', () => {
    const wanted = create(TOKENS, { loss: 'cross-entropy' }).trainOn(tokens, tokens).loss;
    const kinds = [Array.from, Float32Array.from, Uint8Array.from, Float64Array.from] as const;
    for (const [k, from] of kinds.entries()) {
      const own = [Array, Float32Array, Uint8Array, Float64Array][k]!;
      const list = (from as (list: Int32Array) => number[]).call(own, tokens);
      expect(create(TOKENS, { loss: 'cross-entropy' }).trainOn(list, list).loss).toBe(wanted);
    }
    const trainer = create(WIDE, { loss: 'mse' });
    const { loss } = create(WIDE, { loss: 'mse' }).trainOn(x, x);
    expect(trainer.trainOn([...x], Float64Array.from(x)).loss).toBe(loss);
    for (const [given, message] of [
      [['1', ...x.subarray(1)], /"x\[0\]" expected a number of float32, got '1'/],
      [[1e39, ...x.subarray(1)], /"x\[0\]" .* got 1e\+39/],
      ['123456789012', /"x" expected Float32Array of length 12 .*got '1234/],
    ] as const) {
      refused(trainer, () => trainer.trainOn(given as unknown as number[], x), message);
    }
  });

  it('that do not count leave everything as it is, and are counted', () => {
    const momentum: OptimizerOptions = { type: 'sgd', learningRate: 0.1, momentum: 0.9 };
    const classes: LossChoice = { type: 'cross-entropy', ignoreIndex: -100 };
    const of = { optimizer: momentum, loss: classes };
    for (const [description, input, rows] of [
      [TOKENS, tokens, 6],
      [POOLED, x, 2],
    ] as const) {
      const trainer = create(description, of);
      trainer.trainOn(input, new Int32Array(rows));
      const { tensors } = trainer.snapshot();
      const ignored = new Int32Array(rows).fill(-100);
      expect(trainer.trainOn(input, ignored)).toMatchObject({
        skipped: true,
        finite: true,
        loss: 0,
      });
      const none = { lengths: [0, 0] };
      expect(trainer.trainOn(input, new Int32Array(rows), none).skipped).toBe(true);
      expect(trainer.evaluateWindow(input, new Int32Array(rows), none)).toBe(0);
      expect([trainer.skipped, trainer.updates]).toEqual([2, 1]);
      const after = trainer.snapshot().tensors;
      for (const [name, { data }] of tensors) {
        if (!name.startsWith('carry.')) expect(after.get(name)!.data, name).toEqual(data);
      }
    }
  });
});

describe('metrics', () => {
  it('of other kinds are refused by name, class weights or not', () => {
    const model = Model.create(engine, { layers: [{ type: 'lstm', inputSize: 2, hiddenSize: 3 }] });
    const loss = { type: 'cross-entropy', classWeights: [1, 2, 1] } as const;
    const trainer = Trainer.create(model, { batch: 1, steps: 1, loss });
    const data = { length: 1, window: () => ({ inputs: new Float32Array(2), targets: [0] }) };
    for (const wrong of [Object.create(null), 3, {}, 'perplexity']) {
      expect(() => trainer.evaluate(data as never, [wrong] as never)).toThrow(GatefoldError);
    }
    model.dispose();
  });
});

describe('an update', () => {
  it('that leaves what is not finite is refused, and nothing changes', () => {
    for (const optimizer of [
      { type: 'sgd', learningRate: 1e38 },
      { type: 'rmsprop', learningRate: 3e38 },
    ] as const) {
      const trainer = create(WIDE, { loss: 'mse', optimizer });
      const target = x.map((value) => 1e6 * value);
      refused(
        trainer,
        () => trainer.trainOn(x, target),
        /parameter or moment .*nothing was changed/,
      );
    }
    expect(() => create(WIDE, { loss: 'mse', optimizer: { type: 'sgd', lr: 1e300 } })).toThrow(
      /"optimizer.learningRate" expected a number of at least 0, got 1e\+300/,
    );
    const skipping = create(WIDE, {
      loss: 'mse',
      optimizer: { type: 'sgd', lr: 1e38 },
      onNonFinite: 'skip',
    });
    const before = valuesOf(skipping);
    const report = skipping.trainOn(
      x,
      x.map((value) => 1e6 * value),
    );
    expect(report.finite).toBe(false);
    expect(valuesOf(skipping)).toEqual(before);
  });

  it('is looked at again where somebody has changed the parameters', () => {
    const layers = [{ type: 'linear', inFeatures: 2, outFeatures: 2 }] as const;
    const optimizer = { type: 'sgd', learningRate: 0.1, weightDecay: 1e3 } as const;
    const trainer = create({ layers }, { optimizer });
    const zeros = new Float32Array(12);
    const update = (): boolean => {
      trainer.zeroGradients();
      trainer.forward(zeros);
      trainer.backward({ output: new Float32Array(12).fill(1) });
      return trainer.update().finite;
    };
    expect(update()).toBe(true);
    const own = trainer.model.stateDict();
    own.get('linear.weight')!.data[0] = 3e38;
    trainer.model.loadStateDict(own);
    refused(trainer, update, /nothing was changed/);
  });

  it('keeps a class that is masked by -Infinity', () => {
    for (const type of ['sgd', 'adam', 'rmsprop', 'adagrad', 'adamw'] as const) {
      const trainer = create(TOKENS, {
        loss: 'cross-entropy',
        optimizer: { type, learningRate: 0.01 },
      });
      const { model } = trainer;
      const bias = [...model.stateDict().keys()].find((name) => name === 'linear.bias')!;
      const own = model.stateDict();
      own.get(bias)!.data[5] = -Infinity;
      model.loadStateDict(own);
      const target = Int32Array.of(0, 1, 2, 3, 4, 0);
      for (let k = 0; k < 3; k++) expect(trainer.trainOn(tokens, target).finite).toBe(true);
      const after = [...model.stateDict()].flatMap(([, { data }]) => [...data]);
      expect(after.filter((value) => !Number.isFinite(value))).toEqual([-Infinity]);
    }
  });

  it('moves no row that got no gradient, and is bounded where moments were flushed', () => {
    for (const type of ['adam', 'rmsprop', 'adagrad', 'adamw'] as const) {
      const optimizer = { type, learningRate: 0.01, eps: 0, weightDecay: 0 };
      const trainer = create(TOKENS, { loss: 'cross-entropy', optimizer });
      const rows = (): number[] => [...trainer.model.stateDict().get('embedding.weight')!.data];
      const before = rows();
      const seen = Int32Array.of(1, 1, 2, 2, 1, 2);
      trainer.trainOn(seen, seen);
      expect(rows().map((value, i) => value === before[i])).toEqual(
        Array.from({ length: 24 }, (_, i) => i < 4 || i >= 12),
      );
      // Gradients whose squares float32 does not have: no step is above the rate.
      const own = create(WIDE, { optimizer: { ...optimizer, eps: 1e-30 } });
      const start = own.model.stateDict();
      own.forward(x);
      own.backward({ output: new Float32Array(12).fill(1e-25) });
      expect(own.update().finite).toBe(true);
      for (const [name, { data }] of own.model.stateDict()) {
        data.forEach((value, i) => {
          const moved = Math.abs(value - start.get(name)!.data[i]!);
          expect(moved, `${type} ${name}`).toBeLessThanOrEqual(0.01 * 1.0001 + 1e-6);
        });
      }
    }
  });

  it('leaves the gradients that it used, clipped in every mode', () => {
    const sizes = (gradients: ReturnType<Trainer['gradients']>): number[] =>
      [...gradients.values()].map(({ data }) => Math.hypot(...data));
    for (const gradClip of [{ norm: 1e-3 }, { tensorNorm: 1e-3 }, { value: 1e-4 }] as const) {
      const trainer = create(WIDE, { loss: 'mse', gradClip });
      const { gradNorm } = trainer.trainOn(x, x);
      expect(gradNorm).toBeGreaterThan(0.01);
      const after = sizes(trainer.gradients());
      if ('norm' in gradClip) expect(Math.hypot(...after)).toBeCloseTo(1e-3, 6);
      else expect(Math.max(...after)).toBeLessThan(2e-3);
    }
  });

  it('is asked for, where backward() has left gradients', () => {
    const trainer = create(WIDE, { loss: 'mse' });
    trainer.forward(x);
    trainer.backward({ target: x });
    expect(() => trainer.trainOn(x, x)).toThrow(/update\(\) or zeroGradients\(\) first/);
    trainer.update();
    expect(trainer.trainOn(x, x).finite).toBe(true);
  });

  it('says how many rows of CTC have labels that do not fit', () => {
    const ctc = { steps: 2, loss: { type: 'ctc', zeroInfinity: true } } as const;
    const trainer = create(WIDE, ctc);
    const labels = Int32Array.of(1, 1, 1, 0);
    const report = trainer.trainOn(x.subarray(0, 8), labels, { targetLengths: [2, 1] });
    expect(report).toMatchObject({ infiniteRows: 1, finite: true });
    trainer.forward(x.subarray(0, 8));
    expect(trainer.backward({ target: labels, targetLengths: [2, 1] }).infiniteRows).toBe(1);
  });
});

describe('a saved trainer', () => {
  it('goes into one of the same optimizer, loss, batch and steps alone', () => {
    const saved = saveTrainer(create(WIDE, { loss: 'mse' }));
    loadTrainer(create(WIDE, { loss: { type: 'mse' } }), saved);
    for (const [options, message] of [
      [{ loss: 'mae' }, /another trainer: .* loss .*mse.*, and this one has .*mae/],
      [{ loss: 'mse', steps: 4 }, /steps 3, and this one has 4/],
      [{ loss: 'mse', optimizer: { type: 'adamw', lr: 0.001 } }, /optimizer \["adam"/],
    ] as const) {
      expect(() => loadTrainer(create(WIDE, options), saved)).toThrow(message);
    }
  });
});

describe('schedules', () => {
  it('stay at their end', () => {
    expect([99, 100, 150, 1000].map((k) => linearDecay(0.1)(k, 100) >= 0)).not.toContain(false);
    const cosine = cosineDecay(0.1, { floor: 0.01, warmup: 5 });
    for (const update of [100, 150, 1e6]) expect(cosine(update, 100)).toBeCloseTo(0.01, 8);
    expect(() => cosineDecay(0.1, { floor: 0.2 })).toThrow(/"floor" expected .* from 0 to 0.1/);
  });

  /** `torch.optim.lr_scheduler.ReduceLROnPlateau`, written from its documentation. */
  it('reduce on a plateau as PyTorch does', () => {
    const losses = [
      1, 0.99995, 0.9, 0.9, 0.9, 0.9, 0.89995, 0.9, 0.9, 0.9, 0.5, 0.6, 0.6, 0.6, 0.6,
    ];
    const rates = (options: ConstructorParameters<typeof ReduceOnPlateau>[1]): number[] => {
      const plateau = new ReduceOnPlateau(1, options);
      return losses.map((loss) => plateau.report(loss));
    };
    const steps = (...at: readonly number[]): number[] =>
      losses.map((_, k) => 0.5 ** at.filter((place) => place <= k).length);
    const common = { factor: 0.5, patience: 1 };
    // 0.99995 and 0.89995 are not lower by a share of 1e-4.
    expect(rates(common)).toEqual(steps(4, 6, 8, 12, 14));
    expect(rates({ ...common, threshold: 0 })).toEqual(steps(4, 8, 12, 14));
    expect(rates({ ...common, cooldown: 2 })).toEqual(steps(4, 8, 12));
    expect(rates({ ...common, minLr: 0.3 })).toEqual(
      losses.map((_, k) => (k < 4 ? 1 : k < 6 ? 0.5 : 0.3)),
    );
  });

  it('reduce anew in a second run', async () => {
    const plateau = new ReduceOnPlateau(0.1, { patience: 0, factor: 0.5, threshold: 10 });
    const data = { length: 1, window: () => ({ inputs: x, targets: x, steps: 3, fresh: true }) };
    const rates = async (): Promise<number[]> => {
      const found: number[] = [];
      const trainer = create(WIDE, { loss: 'mse' });
      const options = { epochs: 4, validation: data, learningRate: plateau };
      for await (const { learningRate } of trainer.fit(data, options)) found.push(learningRate);
      return found;
    };
    const first = await rates();
    expect(first.at(-1)).toBeLessThan(0.1);
    expect(await rates()).toEqual(first);
  });
});
