/**
 * Masked steps: the gradients of the reference by differences, every cell with every option behind
 * a layer that masks, against the reference, and what no comparison with it tells.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { checkConfiguration, createCampaign, sameBits } from '../support/agreement.ts';
import { cellForms, recurrentLayer } from '../support/cells.ts';
import { maskedConfiguration } from '../support/configuration.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createTally, gradcheck, smallProblem } from '../support/gradcheck.ts';
import { drawOptions, optionsOf } from '../support/options.ts';
import { createRandom, type Random } from '../support/random.ts';

describe('the reference masks as differences say', () => {
  it.each(Object.entries(cellForms))('%s', (name, form) => {
    const tally = createTally();
    for (let seed = 0; tally.cases < 20; seed++) {
      const own = createRandom(seed);
      const [hiddenSize, inputSize] = [own.integer(1, 4), own.integer(1, 3)];
      const options = seed % 3 ? [own.pick(optionsOf(form))] : [];
      const { layer, manner } = drawOptions(own, form, hiddenSize, options);
      const isTokens = seed % 5 === 0;
      const problem = smallProblem(
        () => ({
          layers: [
            isTokens
              ? { type: 'embedding', numEmbeddings: 3, embeddingDim: inputSize, maskZero: true }
              : { type: 'masking', value: seed % 2, inputSize },
            recurrentLayer(form, { hiddenSize }, layer),
            ...(seed % 2 ? [{ type: 'reverse' } as const] : []),
            recurrentLayer(form, { hiddenSize: 2 }),
            { type: 'pool', mode: (['mean', 'max', 'last'] as const)[seed % 3]! },
          ],
        }),
        seed,
        manner,
      );
      gradcheck(problem, `${name}, seed ${seed}`, tally);
      expect(seed, 'too many cases at kinks').toBeLessThan(100);
    }
  });
});

describe('kernels and reference agree on masked steps', () => {
  const engines = new Map(variants.map((variant) => [variant, createEngine(variant)]));
  const campaign = createCampaign(/* with options */ true);
  afterAll(() => {
    const { configurations, forward, gradient } = campaign;
    console.log(
      `${configurations} masked models; worst forward error ${forward.error.toExponential(2)}, gradient ${gradient.error.toExponential(2)}`,
    );
    for (const engine of engines.values()) engine.dispose();
  });
  it.each(Object.entries(cellForms))('%s: 30 random models', { timeout: 60_000 }, (_, form) => {
    fc.assert(
      fc.property(maskedConfiguration(form), (configuration) =>
        checkConfiguration(campaign, engines.get(configuration.variant)!, configuration),
      ),
      { seed: Number(process.env['GATEFOLD_SEED'] ?? 5), numRuns: 20 },
    );
  });
  it('in enough models', () => {
    expect(campaign.configurations).toBeGreaterThan(17 * Object.keys(cellForms).length);
  });
});

/** [T, B, I], and which of its rows are masked: all features -1. */
function drawInput(random: Random, steps: number, batch: number, width: number) {
  const x = Float32Array.from(random.vector(steps * batch * width, 1));
  const masked = Array.from({ length: steps * batch }, () => random.unit() < 0.4);
  masked.forEach((is, row) => is && x.fill(-1, row * width, (row + 1) * width));
  return { x, masked };
}

const rowsOf = (x: Float32Array, rows: readonly number[], width: number): Float32Array =>
  Float32Array.from(rows.flatMap((row) => [...x.subarray(row * width, (row + 1) * width)]));

describe.each(variants)('masked steps, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());
  const create = (layers: readonly object[], seed = 1): Model =>
    Model.create(engine, { layers: layers as LayerSpec[] }, { seed });
  const requireSame = (got: Float32Array, wanted: Float32Array, what: string): void =>
    expect(sameBits(got, wanted), what).toBe(true);

  it.each(Object.entries(cellForms))(
    '%s: a row has the bits of the row without its masked steps',
    (_, form) => {
      const random = createRandom(3);
      const [steps, inputSize, hiddenSize] = [13, 3, 5];
      for (const direction of ['forward', 'backward'] as const) {
        const cell = { ...recurrentLayer(form, { inputSize, hiddenSize }), direction };
        const plain = create([cell]);
        const masking = create([{ type: 'masking', value: -1, inputSize }, cell]);
        const { x, masked } = drawInput(random, steps, 1, inputSize);
        const order = Array.from(masked.keys());
        if (direction === 'backward') order.reverse();
        const taken = order.filter((row) => !masked[row]);
        const own = rowsOf(
          x,
          [...taken].sort((a, b) => a - b),
          inputSize,
        );
        for (const int8 of [false, true]) {
          const [a, b] = int8 ? [masking.quantize(), plain.quantize()] : [masking, plain];
          const got = a.forward(x, { steps });
          const wanted = b.forward(own, { steps: taken.length });
          let last = new Float32Array(hiddenSize);
          for (const row of order) {
            const place = taken.filter((other) => other < row).length;
            if (!masked[row]) last = wanted.output.slice(place * hiddenSize).slice(0, hiddenSize);
            requireSame(rowsOf(got.output, [row], hiddenSize), last, `step ${row}`);
          }
          expect(got.state).toEqual(wanted.state);
        }
      }
    },
  );

  it('a layer that masks no step changes no bit', () => {
    const random = createRandom(4);
    const [steps, batch] = [6, 4];
    const x = Float32Array.from(random.vector(steps * batch * 3, 1));
    const lengths = [6, 2, 0, 5];
    const layers = [
      { type: 'lstm', inputSize: 3, hiddenSize: 5, bidirectional: true },
      { type: 'pool', mode: 'mean' },
    ];
    const [a, b] = [create(layers), create([{ type: 'masking', inputSize: 3 }, ...layers])].map(
      (model) => {
        const trainer = Trainer.create(model, { batch, steps });
        const { output } = trainer.forward(x, { lengths });
        trainer.backward({ output: output.map((y) => y + 1) });
        return [output, ...[...trainer.gradients().values()].map(({ data }) => data)];
      },
    );
    a!.forEach((values, k) => requireSame(values, b![k]!, String(k)));
  });

  it('a sequence whose every step is masked leaves the states as they were', () => {
    const model = create([
      { type: 'masking', inputSize: 2 },
      { type: 'lstm', hiddenSize: 3 },
      { type: 'pool', mode: 'mean' },
    ]);
    const trainer = Trainer.create(model, { batch: 1, steps: 4 });
    const state = { lstm: { h: Float32Array.of(1, 2, 3), c: Float32Array.of(4, 5, 6) } };
    const result = trainer.forward(new Float32Array(8), { state });
    expect([...result.output]).toEqual([0, 0, 0]);
    expect(result.state).toEqual(state);
    const back = trainer.backward({ output: new Float32Array(3).fill(1), state });
    expect(back.state).toEqual(state);
    for (const { data } of trainer.gradients().values()) expect(data.every((d) => !d)).toBe(true);
  });

  it('the mean is over the steps that are not masked', () => {
    const model = create([
      { type: 'masking', value: 9, inputSize: 1 },
      { type: 'pool', mode: 'mean' },
    ]);
    const x = Float32Array.of(9, 2, 9, 4, 9, 9);
    expect([...model.forward(x, { steps: 6 }).output]).toEqual([3]);
    expect([...model.forward(x.subarray(1, 4), { steps: 3 }).output]).toEqual([3]);
  });

  /** Sums of what is not masked: h + x of a layer that adds up. */
  const SUM = { type: 'rnn', nonlinearity: 'relu', hiddenSize: 1, bias: false };
  const sums = (...layers: object[]): number[] => {
    const model = create(layers);
    const ones = [...model.stateDict()].map(([name, tensor]) => {
      return [name, { ...tensor, data: tensor.data.map(() => 1) }] as const;
    });
    model.loadStateDict(new Map(ones));
    return [...model.forward(Float32Array.of(1, 0, 2, 0, 0, 4), { steps: 3 }).output];
  };
  const [front, back] = [
    { type: 'slice', from: 0, to: 1, inputSize: 2, inputs: ['input'] },
    { type: 'slice', from: 1, to: 2, inputSize: 2, inputs: ['input'] },
  ];
  const ONE = { type: 'activation', activation: { type: 'affine', alpha: 0, beta: 1 } };

  it.each([
    ['to the layer after it', [{ type: 'masking', inputSize: 1 }, ONE, SUM], [1, 2, 2]],
    [
      'not through a convolution',
      [
        { type: 'masking' },
        { type: 'conv1d', outChannels: 1, kernelSize: 1, padding: 'causal', bias: false },
        ONE,
        SUM,
      ],
      [1, 2, 3],
    ],
    ['turned round', [{ type: 'masking' }, { type: 'reverse' }, ONE, SUM], [0, 1, 2]],
  ])('a mask goes on %s', (_, layers, expected) => {
    expect(sums(front, ...layers)).toEqual(expected);
  });

  it.each(['concat', 'add', 'multiply'])('%s masks what any source masks', (type) => {
    const layers = [
      front,
      { type: 'masking', name: 'a' },
      back,
      { type: 'masking', name: 'b' },
      { type, name: 'both', inputs: ['a', 'b', 'input'].slice(0, type === 'concat' ? 3 : 2) },
      { type: 'reduceSum' },
      ONE,
      SUM,
    ];
    expect(sums(...layers)).toEqual([0, 0, 0]);
    const [, ...unmasked] = layers;
    expect(sums(front, { ...ONE, name: 'a' }, ...unmasked.slice(1))).toEqual([0, 0, 1]);
  });

  it('a later layer masks anew', () => {
    const shift = { type: 'activation', activation: { type: 'affine', alpha: 1, beta: 1 } };
    const layers = [{ type: 'masking' }, shift, { type: 'masking', value: 2 }, ONE, SUM];
    expect(sums(front, ...layers)).toEqual([0, 1, 2]);
  });

  it('an embedding masks token 0 and keeps its row', () => {
    const table = { type: 'embedding', numEmbeddings: 3, embeddingDim: 1 };
    const run = (layers: object[]): number[] => {
      const model = create(layers);
      const ones = [...model.stateDict()].map(([name, tensor]) => {
        return [name, { ...tensor, data: tensor.data.map(() => 1) }] as const;
      });
      model.loadStateDict(new Map(ones));
      return [...model.forward(Int32Array.of(0, 1, 0, 2, 0), { steps: 5 }).output];
    };
    expect(run([{ ...table, maskZero: true }, SUM])).toEqual([0, 1, 1, 2, 2]);
    expect(run([{ ...table, maskZero: true }])).toEqual([1, 1, 1, 1, 1]);
    expect(run([{ ...table, maskZero: false }, SUM])).toEqual([1, 2, 3, 4, 5]);
    expect(run([table, SUM])).toEqual([1, 2, 3, 4, 5]);
  });

  it('segments leave the same bits', () => {
    const [steps, batch] = [40, 3];
    const layers = [
      { type: 'masking', value: -1, inputSize: 3 },
      { type: 'lstm', hiddenSize: 6 },
      { type: 'gru', hiddenSize: 4 },
    ];
    const { x } = drawInput(createRandom(1), steps, batch, 3);
    const run = (maxBytes: number | undefined): Float32Array[] => {
      const model = create(layers);
      const target = new Float32Array(steps * batch * model.outputSize);
      const trainer = Trainer.create(model, { batch, steps, loss: 'mse', maxBytes });
      expect(trainer.bytes < 40_000).toBe(maxBytes !== undefined);
      trainer.trainOn(x, target);
      trainer.trainOn(x, target, { lengths: [30, 40, 11] });
      trainer.dispose();
      return [...model.stateDict().values()].map(({ data }) => data);
    };
    const [whole, parts] = [run(undefined), run(30_000)];
    whole.forEach((data, k) => requireSame(parts[k]!, data, String(k)));
  });

  it('the gradients of a masked step are those of the step before it', () => {
    const model = create([
      { type: 'masking', inputSize: 1 },
      { type: 'lstm', hiddenSize: 4 },
    ]);
    const trainer = Trainer.create(model, { batch: 1, steps: 5 });
    trainer.forward(Float32Array.of(1, 2, 0, 0, 3));
    const output = new Float32Array(20).fill(1, 16);
    const { flow } = trainer.backward({ output, flow: true });
    const { h, c } = flow!['lstm']!;
    expect([h[1], h[2]]).toEqual([h[3], h[3]]);
    expect(c![2]).toBe(c![3]);
    expect(h[3]).toBeGreaterThan(0);
    expect(h[4]).toBe(2);
  });

  it('bad options are refused', () => {
    const masking = (value: unknown) => () => create([{ type: 'masking', value, inputSize: 1 }]);
    expect(masking(NaN)).toThrow(/layers\[0\]\.value/);
    expect(masking('0')).toThrow(/layers\[0\]\.value/);
    expect(masking(1e39)).toThrow(/layers\[0\]\.value/);
    expect(() => create([{ type: 'masking' }])).toThrow(/inputSize/);
    const table = { type: 'embedding', numEmbeddings: 3, embeddingDim: 1 };
    expect(() => create([{ ...table, maskZero: 1 }])).toThrow(/maskZero/);
  });
});
