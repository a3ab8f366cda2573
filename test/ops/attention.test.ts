/** Attention: the kernel by itself, random models about it, and what no comparison tells. */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { checkConfiguration, createCampaign, sameBits } from '../support/agreement.ts';
import { checkAttention } from '../support/attention-kernel.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createTally, gradcheck, smallProblem } from '../support/gradcheck.ts';
import { divisors } from '../support/layer-stacks.ts';
import { createRandom, type Random } from '../support/random.ts';

const engines = variants.map((variant) => createEngine(variant));
const [engine] = engines;
afterAll(() => engines.forEach((each) => each.dispose()));

const create = (...layers: object[]): Model =>
  Model.create(engine!, { layers: layers as unknown as LayerSpec[] });

/**
 * Attention as networks have it: of one layer, and of two or three, which are linear (their
 * gradients take the place of their outputs) or not, or the inputs of the model.
 */
function drawModel(random: Random, most: number): { layers: LayerSpec[] } {
  const [width, values, inputs] = [1, 1, 1].map(() => random.integer(1, most)) as [
    number,
    number,
    number,
  ];
  const source = (name: string, size: number): object =>
    random.unit() < 0.6
      ? { type: 'linear', name, inputs: ['input'], inFeatures: inputs, outFeatures: size }
      : { type: 'gru', name, inputs: ['input'], inputSize: inputs, hiddenSize: size };
  const kind = random.integer(0, 4);
  const [reads, sizes] = [
    [['q'], [width]],
    [
      ['q', 'q', 'q'],
      [width, width, width],
    ],
    [
      ['q', 'k'],
      [width, width],
    ],
    [
      ['q', 'v', 'k'],
      [width, values, width],
    ],
    [
      ['q', 'input', 'k'],
      [width, inputs, width],
    ],
  ][kind] as [string[], number[]];
  const own = Object.entries({ q: width, k: width, v: values }).filter(([n]) => reads.includes(n));
  const common = divisors(width).filter((n) => (sizes[1] ?? width) % n === 0);
  const attention = {
    type: 'attention',
    inputs: reads,
    score: random.pick(['dot', 'scaledDot', 'additive', 'concat']),
    heads: random.pick(common),
    scale: random.unit() < 0.5,
    causal: random.unit() < 0.4,
  };
  const last = { type: 'linear', name: 'out', outFeatures: random.integer(1, 4) };
  const layers = [...own.map(([name, size]) => source(name, size)), attention];
  return { layers: (random.unit() < 0.5 ? [...layers, last] : layers) as LayerSpec[] };
}

it('the reference attends as differences say', () => {
  const tally = createTally();
  for (let seed = 1; seed <= 60; seed++) {
    const manner = { ragged: seed % 2 > 0, padding: seed % 3 ? 'zero' : 'repeat' } as const;
    gradcheck(
      smallProblem((random) => drawModel(random, 4), seed, manner),
      `seed ${seed}`,
      tally,
    );
  }
  expect(tally.cases).toBe(60);
});

describe.each(engines)('attention, $variant SIMD', (own) => {
  it('the kernel agrees with the reference', () => {
    for (let seed = 1; seed <= 200; seed++) checkAttention(own, seed);
  });

  it('models agree with the reference', () => {
    const campaign = createCampaign(/* with options */ true);
    for (let seed = 1; seed <= 100; seed++) {
      const random = createRandom(seed);
      checkConfiguration(campaign, own, {
        variant: own.variant,
        description: drawModel(random, 24),
        dims: { steps: random.integer(1, 30), batch: random.integer(1, 5) },
        ragged: random.unit() < 0.5,
        batchFirst: random.unit() < 0.5,
        zeroInitialState: true,
        spare: random.integer(0, 2),
        gradientLimit: Infinity,
        gain: 1,
        seed,
      });
    }
    expect(campaign.configurations).toBeGreaterThan(90);
    console.log(
      `attention, ${own.variant}: ${campaign.configurations} checked, ${campaign.excused} excused; ` +
        `worst errors ${campaign.forward.error.toExponential(2)} forward, ` +
        `${campaign.gradient.error.toExponential(2)} gradient (${campaign.gradient.where})`,
    );
  });
});

const numbers = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

it('a sequence in a batch has the bits that it has alone', () => {
  const model = create(
    { type: 'linear', name: 'a', inFeatures: 3, outFeatures: 6 },
    { type: 'attention', heads: 2, causal: true },
    { type: 'attention', score: 'additive', scale: true },
  );
  const lengths = [4, 9, 0, 7];
  const x = numbers(1, 4 * 9 * 3);
  const batch = model.forward(x, { steps: 9, batch: 4, batchFirst: true, lengths }).output;
  for (const [b, steps] of lengths.entries()) {
    const own = batch.subarray(b * 9 * 6, (b + 1) * 9 * 6);
    if (steps) {
      const { output } = model.forward(x.slice(b * 27, b * 27 + steps * 3), { steps });
      expect(sameBits(own.slice(0, steps * 6), output)).toBe(true);
    }
    expect(own.subarray(steps * 6).every((value) => value === 0)).toBe(true);
  }
});

it('only a causal attention hides later steps', () => {
  const [x, changed] = [numbers(2, 5 * 4), numbers(2, 5 * 4)];
  changed.fill(3, 4 * 4);
  for (const causal of [true, false]) {
    const model = create({ type: 'attention', causal, inputSizes: [4] });
    const [one, other] = [x, changed].map((own) => model.forward(own, { steps: 5 }).output);
    expect(sameBits(one!.slice(0, 16), other!.slice(0, 16))).toBe(causal);
    expect(sameBits(one!, other!)).toBe(false);
  }
});

it('scores beyond the numbers of an exponential choose one key', () => {
  const model = create({ type: 'attention', score: 'dot', inputSizes: [1] });
  const { output } = model.forward(Float32Array.of(1, 1000, -30), { steps: 3 });
  expect([...output]).toEqual([1000, 1000, -30]);
});

it('the learned parts begin at 1, and a vector as its framework has it', () => {
  const layers = [
    { type: 'attention', name: 'a', score: 'additive', scale: true, heads: 2, inputSizes: [32] },
    { type: 'attention', name: 'b', score: 'concat' },
  ] as const;
  for (const [init, limit] of [
    ['pytorch', 1 / 4],
    ['keras', Math.sqrt(3) / 4],
  ] as const) {
    const values = Model.create(engine!, { layers }, { seed: 1, init }).stateDict();
    const vector = values.get('a.weight')!.data;
    expect(vector.length).toBe(32);
    expect(Math.max(...vector.map(Math.abs))).toBeLessThan(limit);
    expect(Math.max(...vector.map(Math.abs))).toBeGreaterThan(0.8 * limit);
    expect([...values.get('a.scale')!.data, ...values.get('b.weight')!.data]).toEqual([1, 1]);
  }
});

it('a trainer of attention on the inputs alone trains what it learns', () => {
  const model = create({ type: 'attention', score: 'dot', scale: true, inputSizes: [1] });
  const optimizer = { type: 'adam', learningRate: 0.1 } as const;
  const trainer = Trainer.create(model, { loss: 'mse', optimizer, steps: 2, batch: 1 });
  // The mean of both steps: no step may see more of one than of the other.
  for (let n = 0; n < 200; n++) trainer.trainOn(Float32Array.of(1, 3), Float32Array.of(2, 2));
  expect(Math.abs(model.stateDict().get('attention.scale')!.data[0]!)).toBeLessThan(1e-2);
});

it('a second pass has the gradients of the first', () => {
  const model = create(
    { type: 'gru', name: 'a', inputSize: 2, hiddenSize: 4 },
    { type: 'linear', name: 'b', outFeatures: 4 },
    { type: 'attention', inputs: ['a', 'b'], heads: 2 },
  );
  const trainer = Trainer.create(model, { steps: 5, batch: 2 });
  const [x, dy] = [numbers(3, 20), numbers(4, 40)];
  const [first, second] = [0, 1].map(() => {
    trainer.forward(x);
    trainer.zeroGradients();
    const { input } = trainer.backward({ output: dy });
    const all = [...trainer.gradients()].flatMap(([, { data }]) => [...data]);
    return Float32Array.from([...input!, ...all]);
  });
  expect(sameBits(first!, second!)).toBe(true);
});

it.each([
  [{ score: 'cosine' }, /score.*'dot' or 'scaledDot' or 'additive' or 'concat'/],
  [{ heads: 0 }, /heads/],
  [{ heads: 4 }, /heads" expected a divisor of 6 and 6, .* got 4/],
  [{ scale: 2 }, /scale" expected true or false/],
  [{ causal: 'yes' }, /causal" expected true or false/],
  [{ inputs: ['a', 'b'] }, /queries and keys of as many features, got 6 and 4/],
  [{ inputs: ['a', 'b', 'a'], heads: 3 }, /heads" expected a divisor of 6 and 4/],
  [{ inputs: ['a', 'a', 'a', 'a'] }, /inputs\.length" expected a whole number from 1 to 3, got 4/],
  [{ inputs: ['a', 'c', 'a'] }, /differ in their steps/],
])('%o is refused', (own, message) => {
  const layers = [
    { type: 'linear', name: 'b', inFeatures: 2, outFeatures: 4 },
    { type: 'pool', mode: 'mean', inputs: ['b'] },
    { type: 'linear', name: 'c', outFeatures: 6 },
    { type: 'linear', name: 'a', inputs: ['b'], outFeatures: 6 },
  ];
  expect(() => create(...layers, { type: 'attention', ...own })).toThrow(message);
});

it('a stream is refused with the reason', () => {
  const model = create({ type: 'attention', causal: true, inputSizes: [4] });
  expect(() => model.stream()).toThrow(/"attention", which sees all steps of a sequence/);
});
