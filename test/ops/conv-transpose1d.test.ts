/**
 * Transposed convolutions: how many steps they make, which of them can be joined, blocks of rows
 * that drawn graphs do not reach, and what is refused.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { checkConfiguration, createCampaign } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

type Layer = Extract<LayerSpec, { type: 'convTranspose1d' }>;

const numbers = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

const layerOf = (options: Partial<Layer>): Layer => ({
  type: 'convTranspose1d',
  inChannels: 1,
  outChannels: 1,
  kernelSize: 3,
  ...options,
});

describe.each(variants)('convTranspose1d, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  const create = (...layers: LayerSpec[]): Model => Model.create(engine, { layers }, { seed: 1 });

  it('adds the taps of every step, by hand', () => {
    const model = create(layerOf({ stride: 2, padding: 1, outputPadding: 1 }));
    const shapes = { weight: [1, 1, 3], bias: [1] };
    const values = { weight: [1, 10, 100], bias: [0.5] };
    model.loadStateDict(
      new Map(
        (['weight', 'bias'] as const).map((role) => [
          `convTranspose1d.${role}`,
          { shape: shapes[role], data: Float32Array.from(values[role]) },
        ]),
      ),
    );
    // 1 10 102 20 203 30 300 without the first and the last, and one more.
    const { output } = model.forward(Float32Array.of(1, 2, 3), { steps: 3 });
    expect([...output]).toEqual([10, 102, 20, 203, 30, 300].map((value) => value + 0.5));
    model.dispose();
  });

  it.each([
    [{}, (n: number) => n + 2],
    [{ stride: 3 }, (n: number) => (n - 1) * 3 + 3],
    [{ stride: 2, dilation: 3, padding: 2 }, (n: number) => (n - 1) * 2 - 4 + 7],
    [{ stride: 3, outputPadding: 2, padding: [1, 2] }, (n: number) => (n - 1) * 3 + 3 - 3 + 2],
    [{ stride: 2, padding: 'same' }, (n: number) => 2 * n],
    [{ stride: 5, padding: 'same' }, (n: number) => 5 * n],
    [{ padding: 4 }, (n: number) => n + 2 - 8],
  ] as const)('steps of %o', (options, stepsOf) => {
    const model = create(layerOf(options));
    for (const steps of [7, 9]) {
      const { output } = model.forward(numbers(1, steps), { steps });
      expect(output.length).toBe(stepsOf(steps));
    }
    model.dispose();
  });

  it.each([
    [
      { stride: 2, padding: 'same' },
      { type: 'upsample1d', size: 2 },
    ],
    [{ stride: 3 }, { type: 'upsample1d', size: 3 }],
    [{ padding: 1 }, { type: 'activation', activation: 'tanh' }],
    [{}, { type: 'conv1d', outChannels: 1, kernelSize: 2, padding: [2, 1] }],
    [{ stride: 2, outputPadding: 1 }, { ...layerOf({ stride: 2, kernelSize: 4 }) }],
  ] as const)('%o makes the steps of %o, so that both can be added', (options, other) => {
    const ends = { inputs: ['start'] };
    const { inChannels: _, ...layer } = layerOf(options);
    const { inChannels: __, ...second } = other as Partial<Layer>;
    const model = create(
      { type: 'linear', name: 'start', inFeatures: 1, outFeatures: 1 },
      { ...layer, ...ends, name: 'a' },
      { ...second, ...ends, name: 'b' } as LayerSpec,
      { type: 'add', inputs: ['a', 'b'] },
    );
    expect(model.forward(numbers(1, 6), { steps: 6 }).output.length).toBeGreaterThan(5);
    model.dispose();
  });

  it('a row ends with its own last step, and has none without one', () => {
    const model = create(layerOf({ stride: 2 }));
    const x = numbers(1, 3 * 4);
    const lengths = [2, 0, 4];
    const { output } = model.forward(x, { steps: 4, batch: 3, lengths });
    for (const [b, length] of lengths.entries()) {
      const own = x.filter((_, at) => at % 3 === b).subarray(0, length);
      const row = output.filter((_, at) => at % 3 === b);
      const alone = length ? model.forward(own, { steps: length }).output : [];
      const padded = new Float32Array(9);
      padded.set(alone);
      expect([...row]).toEqual([...padded]);
    }
    model.dispose();
  });

  // Windows are laid out 96 rows at a time.
  it.each([
    [{ stride: 2, kernelSize: 4, padding: 'same' }, false],
    [{ stride: 2, kernelSize: 5, padding: 2, outputPadding: 1 }, true],
    [{ stride: 3, kernelSize: 2 }, true],
    [{ kernelSize: 4, dilation: 3, bias: false }, true],
  ] as const)('blocks of rows: %o, ragged %s', (options, ragged) => {
    const layer = layerOf({ outChannels: 5, ...options });
    const before = { type: 'linear', inFeatures: 7, outFeatures: 3 } as const;
    for (const layers of [[{ ...layer, inChannels: 3 }], [before, { ...layer, inChannels: 3 }]]) {
      const campaign = createCampaign();
      checkConfiguration(campaign, engine, {
        variant,
        description: { layers },
        dims: { steps: 70, batch: 4 },
        ragged,
        batchFirst: false,
        zeroInitialState: true,
        spare: 3,
        gradientLimit: Infinity,
        gain: 1,
        seed: 5,
      });
      expect(campaign.configurations).toBe(1);
    }
  });

  it('the norm of the gradients counts no row beside its own', () => {
    const model = create(layerOf({ inChannels: 3, outChannels: 2 }));
    const trainer = Trainer.create(model, { batch: 2, steps: 5 });
    const { output } = trainer.forward(numbers(1, 30));
    trainer.backward({ output: numbers(2, output.length) });
    const squares = [...trainer.gradients().values()].flatMap(({ data }) => [...data]);
    const norm = Math.hypot(...squares);
    expect(Math.abs(trainer.update().gradNorm / norm - 1)).toBeLessThan(1e-6);
    trainer.dispose();
    model.dispose();
  });

  it.each([
    [{ padding: 'causal' }, /"layers\[0\]\.padding" expected 'valid', 'same', a number of steps/],
    [{ padding: [1] }, /"layers\[0\]\.padding" expected 'valid', 'same', .*\[left, right\]/],
    [{ padding: [1, -1] }, /"layers\[0\]\.padding\[1\]" expected a whole number/],
    [{ padding: -1 }, /"layers\[0\]\.padding" expected a whole number/],
    [{ outputPadding: 1 }, /"layers\[0\]\.outputPadding" expected a whole number from 0 to 0/],
    [{ stride: 2, dilation: 3, outputPadding: 3 }, /outputPadding" .* from 0 to 2, got 3/],
    [{ stride: 2, padding: 'same', outputPadding: 1 }, /outputPadding" .* from 0 to 0/],
    [{ kernelSize: 60_000, dilation: 60_000 }, /"layers\[0\]" looks .* steps back/],
    [{ groups: 1 }, /"layers\[0\]" has no option "groups"/],
  ] as const)('%o is refused', (options, message) => {
    expect(() => create(layerOf(options as Partial<Layer>))).toThrow(message);
  });

  it('needs whole sequences, and enough steps for one output', () => {
    const model = create(layerOf({ name: 'up', padding: 2 }));
    expect(() => model.stream()).toThrow(/a stream cannot run "up".*model\.forward\(\)/);
    expect(() => model.forward(numbers(1, 2), { steps: 2 })).toThrow(
      '"steps" of 2 leaves "up" 2, too few for one output: give more steps',
    );
    expect(() => Trainer.create(model, { batch: 1, steps: 9, maxBytes: 2 ** 20 })).toThrow(
      /"maxBytes" cuts sequences/,
    );
    model.dispose();
  });
});
