/**
 * Training in float32 against training in the float64 reference, update for update: every cell with
 * every optimizer, truncated backpropagation, clipping, and what happens when numbers are not
 * finite.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, type TrainerOptions } from '../../src/hosts/default.ts';
import type { ModelDescription } from '../../src/ops/index.ts';
import { sameBits } from '../support/agreement.ts';
import { cellForms, recurrentLayer, type CellForm } from '../support/cells.ts';
import { createEngine, variants } from '../support/engines.ts';
import { drawOptions, optionsOf, type OptionName } from '../support/options.ts';
import { createRandom } from '../support/random.ts';
import {
  lossError,
  LOSS_TOLERANCE,
  trainBoth,
  type Course,
  type Outcome,
} from '../support/training.ts';

type Options = Course['options'];

const optimizers: Readonly<Record<string, Options['optimizer']>> = {
  sgd: { type: 'sgd', lr: 0.1 },
  'sgd, momentum': { type: 'sgd', lr: 0.03, momentum: 0.8, dampening: 0.1, weightDecay: 0.01 },
  'sgd, nesterov': { type: 'sgd', lr: 0.02, momentum: 0.9, nesterov: true, weightDecay: 0.001 },
  rmsprop: { type: 'rmsprop', lr: 0.003, alpha: 0.95, eps: 1e-3, weightDecay: 0.01 },
  adagrad: { type: 'adagrad', lr: 0.03, eps: 1e-3 },
  adam: { type: 'adam', lr: 0.01, betas: [0.85, 0.98], eps: 1e-4, weightDecay: 0.01 },
  adamw: { type: 'adamw', lr: 0.01, betas: [0.9, 0.99], eps: 1e-4, weightDecay: 0.1 },
  'keras adam': { type: 'adam', form: 'keras', lr: 0.01, eps: 1e-4, weightDecay: 0.02 },
};

const worst = { loss: 0, norm: 0, parameters: 0, courses: 0 };

/**
 * A language model of 5 letters, so that embedding, cell, linear and cross-entropy are all in it.
 */
function letters(form: CellForm): ModelDescription {
  return {
    layers: [
      { type: 'embedding', numEmbeddings: 5, embeddingDim: 3 },
      recurrentLayer(form, { hiddenSize: 6 }),
      { type: 'linear', outFeatures: 5 },
    ],
  };
}

/** A regression on waves, two layers deep. */
function waves(form: CellForm): ModelDescription {
  return {
    layers: [
      recurrentLayer(form, { inputSize: 2, hiddenSize: 5, numLayers: 2 }),
      { type: 'linear', outFeatures: 2, bias: false },
    ],
  };
}

function requireAgreement(
  label: string,
  { pairs, moved, apart }: Outcome,
  indices: Iterable<number>,
): void {
  worst.courses++;
  for (const k of indices) {
    const { actual, expected } = pairs[k]!;
    const error = lossError(pairs[k]!);
    worst.loss = Math.max(worst.loss, error);
    expect(
      error,
      `${label}, after ${k} updates: ${actual.loss} and ${expected.loss}`,
    ).toBeLessThanOrEqual(LOSS_TOLERANCE);
    const norm = Math.abs(actual.gradNorm - expected.gradNorm) / expected.gradNorm;
    worst.norm = Math.max(worst.norm, norm);
    expect(
      norm,
      `${label}, norm at update ${k}: ${actual.gradNorm} and ${expected.gradNorm}`,
    ).toBeLessThanOrEqual(1e-3);
  }
  // A course on which nothing is learned would agree whatever the update does.
  expect(moved, label).toBeGreaterThan(0.02);
  worst.parameters = Math.max(worst.parameters, apart);
  expect(apart, `${label}, parameters at the end`).toBeLessThanOrEqual(1e-3);
}

describe.each(variants)('training, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  describe.each(Object.entries(cellForms))('%s', (cell, form) => {
    it.each(Object.entries(optimizers))(
      '%s: loss after 0, 1, 10, 100 updates',
      (name, optimizer) => {
        for (const [description, loss] of [
          [letters(form), 'cross-entropy'],
          [waves(form), 'mse'],
        ] as const) {
          const outcome = trainBoth(engine, {
            description,
            batch: 3,
            steps: 6,
            updates: 101,
            options: { loss, optimizer },
            seed: 5,
          });
          requireAgreement(`${cell}, ${name}, ${loss}`, outcome, [0, 1, 10, 100]);
        }
      },
    );

    it.each([
      [4, 4],
      [4, 8],
      [3, 8],
      [1, 5],
    ])('truncated backpropagation, k1 = %i, k2 = %i', (every, steps) => {
      const outcome = trainBoth(engine, {
        description: letters(form),
        batch: 2,
        steps: every,
        updates: 60,
        options: {
          loss: 'cross-entropy',
          optimizer: { type: 'sgd', lr: 0.2, momentum: 0.5 },
          bptt: { back: steps, every },
        },
        seed: 6,
      });
      // Every single window: a wrong state at one cut would be forgotten by the next.
      requireAgreement(`${cell}, k1 ${every}, k2 ${steps}`, outcome, outcome.pairs.keys());
    });
  });

  it.each(Object.entries(cellForms))(
    '%s with dropout, zoneout and normalisation: fresh masks for every window',
    (cell, form) => {
      const names: readonly OptionName[] = ['dropout', 'zoneout', 'layerNorm', 'projSize'];
      const masked: readonly OptionName[] = ['inputDropout', 'recurrentDropout'];
      const chosen = optionsOf(form).filter((name) => [...names, ...masked].includes(name));
      const { layer } = drawOptions(createRandom(1), form, 6, chosen);
      const outcome = trainBoth(engine, {
        description: {
          layers: [
            { type: 'embedding', numEmbeddings: 5, embeddingDim: 3 },
            recurrentLayer(form, { hiddenSize: 6 }, layer),
            { type: 'linear', outFeatures: 5 },
          ],
        },
        batch: 3,
        steps: 5,
        updates: 30,
        options: { loss: 'cross-entropy', optimizer: { type: 'sgd', lr: 0.1 } },
        seed: 8,
      });
      requireAgreement(`${cell}, masked`, outcome, outcome.pairs.keys());
    },
  );

  it('clipping reports the norm before it and scales as PyTorch does', () => {
    // A limit that every gradient is above, and one that some are below: those must stay as they
    // are.
    for (const [norm, every] of [
      [0.05, true],
      [0.3, false],
    ] as const) {
      const clipped = trainBoth(engine, {
        description: letters({ type: 'lstm' }),
        batch: 3,
        steps: 6,
        updates: 101,
        options: {
          loss: 'cross-entropy',
          optimizer: { type: 'sgd', lr: 0.5 },
          gradClip: { norm },
        },
        seed: 5,
      });
      const above = clipped.pairs.filter(({ expected }) => expected.gradNorm > norm).length;
      expect(above === clipped.pairs.length).toBe(every);
      expect(above).toBeGreaterThan(10);
      requireAgreement(`clipping to ${norm}`, clipped, clipped.pairs.keys());
    }
  });
});

afterAll(() => {
  console.log(
    `${worst.courses} courses of training; worst loss error ${worst.loss.toExponential(2)}, ` +
      `of a gradient norm ${worst.norm.toExponential(2)}, of the way of the parameters ${worst.parameters.toExponential(2)}`,
  );
});

describe.each(variants)('numbers that are not finite, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  const make = (options: Partial<TrainerOptions>): { model: Model; trainer: Trainer } => {
    const model = Model.create(engine, waves({ type: 'gru', resetAfter: true }), { seed: 4 });
    const trainer = Trainer.create(model, {
      batch: 1,
      steps: 2,
      loss: 'mse',
      optimizer: { type: 'adam', lr: 0.01 },
      ...options,
    });
    return { model, trainer };
  };
  const image = (trainer: Trainer): Float32Array[] =>
    [...trainer.snapshot().tensors.values()].map(({ data }) => data);
  const [x, target] = [Float32Array.of(0.1, 0.2, 0.3, 0.4), Float32Array.of(1, 2, 3, 4)];
  const bad: [string, number][] = [
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['an overflowing square', 3e38],
  ];

  it.each(bad)('%s: the update is refused, nothing has changed', (_, value) => {
    for (const gradClip of [undefined, { norm: 1 }]) {
      const { model, trainer } = make({ onNonFinite: 'throw', gradClip });
      trainer.trainOn(x, target);
      const before = image(trainer);
      let error: unknown;
      try {
        trainer.trainOn(x, Float32Array.of(1, value, 3, 4));
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(GatefoldError);
      expect((error as GatefoldError).code).toBe('ERR_NON_FINITE');
      const parameters = [...model.stateDict().values()].map(({ data }) => data);
      const after = image(trainer);
      parameters.forEach((p) => expect(p.every(Number.isFinite)).toBe(true));
      before.forEach((array, k) => expect(sameBits(array, after[k]!)).toBe(true));
      model.dispose();
    }
  });

  it.each(bad)('%s: the update is skipped and said to be', (_, value) => {
    for (const gradClip of [undefined, { norm: 1 }]) {
      const { model, trainer } = make({ onNonFinite: 'skip', gradClip });
      trainer.trainOn(x, target);
      const before = [...model.stateDict().values()].map(({ data }) => data);
      const { finite } = trainer.trainOn(x, Float32Array.of(1, value, 3, 4));
      expect(finite).toBe(false);
      const after = [...model.stateDict().values()].map(({ data }) => data);
      before.forEach((array, k) => expect(sameBits(array, after[k]!)).toBe(true));
      const next = trainer.trainOn(x, target);
      expect(next.finite).toBe(true);
      expect(Number.isFinite(next.loss)).toBe(true);
      model.dispose();
    }
  });

  it('the model, its streams and other trainers run with the parameters of an update', () => {
    const { model, trainer } = make({});
    const stream = model.stream();
    const other = Trainer.create(model, { batch: 1, steps: 2 });
    const before = model.forward(x, { steps: 2 }).output;
    for (let k = 0; k < 3; k++) trainer.trainOn(x, target);
    const fresh = Model.create(engine, model.description);
    fresh.loadStateDict(model.stateDict());
    const expected = fresh.forward(x, { steps: 2 }).output;
    expect(sameBits(expected, before)).toBe(false);
    const streamed = new Float32Array(expected.length);
    stream.run(x, streamed, 2);
    for (const output of [
      model.forward(x, { steps: 2 }).output,
      trainer.forward(x).output,
      other.forward(x).output,
      streamed,
    ]) {
      expect(sameBits(output, expected)).toBe(true);
    }
    // Backward needs the parameters in another form than forward does.
    const third = Trainer.create(fresh, { batch: 1, steps: 2 });
    third.forward(x);
    const gradient = Float32Array.of(1, 2, 3, 4);
    const wanted = third.backward({ output: gradient }).input!;
    expect(sameBits(other.backward({ output: gradient }).input!, wanted)).toBe(true);
    model.dispose();
    fresh.dispose();
  });

  it('gradients of several backward passes add up until they are zeroed', () => {
    const { model, trainer } = make({});
    const gradients = (): Float32Array[] =>
      [...trainer.gradients().values()].map(({ data }) => data);
    const pass = (output: Float32Array): void => {
      trainer.forward(x, { steps: 2 });
      trainer.backward({ output });
    };
    const [a, b] = [Float32Array.of(1, 0, 2, -1), Float32Array.of(0.5, 1, -1, 2)];
    trainer.zeroGradients();
    pass(a);
    const first = gradients();
    trainer.zeroGradients();
    pass(b);
    const second = gradients();
    trainer.zeroGradients();
    pass(a);
    pass(b);
    gradients().forEach((sum, k) => {
      sum.forEach((value, n) => {
        const wanted = first[k]![n]! + second[k]![n]!;
        expect(Math.abs(value - wanted)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(wanted)));
      });
    });
    model.dispose();
  });
});
