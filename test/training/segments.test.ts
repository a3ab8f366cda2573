/**
 * Backpropagation under a memory budget: the plan against all plans, and every bit of training
 * against the run that has all memory.
 */
import { afterAll, describe, expect, it } from 'vitest';
import {
  GatefoldError,
  Model,
  Trainer,
  type GradClip,
  type LossChoice,
  type TrainerOptions,
} from '../../src/hosts/default.ts';
import { planSegments } from '../../src/training/segments.ts';
import type { LayerSpec, WindowOptions } from '../../src/hosts/default.ts';
import { sameBits } from '../support/agreement.ts';
import { cellForms } from '../support/cells.ts';
import { createEngine, variants, type Variant } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const MIB = 2 ** 20;

describe('the plan', () => {
  const costs = [
    [1000, 100],
    [64, 5000],
    [300, 300],
  ] as const;
  it('has the fewest segments that fit, and says how little would do', () => {
    for (const [perStep, perState] of costs) {
      for (const steps of [1, 2, 7, 60, 97, 128]) {
        const bytesOf = (p: { segment: number; count: number }): number =>
          Math.ceil((p.segment * perStep) / 64) * 64 + (p.count + 1) * perState + 777;
        const all = Array.from({ length: steps }, (_, k) => {
          const segment = Math.ceil(steps / (k + 1));
          return { count: Math.ceil(steps / segment), bytes: bytesOf({ segment, count: k + 1 }) };
        });
        const least = Math.min(...all.map(({ bytes }) => bytes));
        for (const { bytes } of all) {
          const plan = planSegments(steps, bytes, bytesOf);
          expect(bytesOf(plan)).toBeLessThanOrEqual(bytes);
          expect(plan.segment * plan.count).toBeGreaterThanOrEqual(steps);
          expect(plan.segment * (plan.count - 1)).toBeLessThan(steps);
          expect(plan.count).toBe(
            Math.min(...all.filter((p) => p.bytes <= bytes).map((p) => p.count)),
          );
        }
        const refused = new RegExp(`"maxBytes" of ${least - 1} bytes .* at least ${least}$`);
        expect(() => planSegments(steps, least - 1, bytesOf)).toThrow(refused);
      }
    }
  });
});

/** The bytes that a trainer needs at the least, out of the error of one that has fewer. */
function leastBytes(create: (maxBytes: number) => Trainer): number {
  try {
    create(1).dispose();
  } catch (error) {
    expect((error as GatefoldError).code).toBe('ERR_MEMORY');
    return Number(/at least (\d+)/.exec((error as Error).message)![1]);
  }
  throw new Error('one byte was enough');
}

interface Task {
  readonly layers: readonly LayerSpec[];
  readonly batch: number;
  readonly steps: number;
  readonly loss: LossChoice;
  readonly gradClip?: GradClip;
  /** Lengths of the rows of each window; all steps where absent. */
  readonly windows: readonly WindowOptions[];
}

describe.each(variants)('training under a budget, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  /** Everything that a course of windows leaves behind. */
  function course(task: Task, memory: number | undefined, seed: number): Float32Array[] {
    const { layers, batch, steps, loss, gradClip, windows } = task;
    const model = Model.create(engine, { layers }, { seed });
    const optimizer = { type: 'adam', lr: 0.01 } as const;
    const options: TrainerOptions = { batch, steps, loss, optimizer, gradClip, maxBytes: memory };
    const trainer = Trainer.create(model, options);
    if (memory !== undefined) expect(trainer.bytes).toBeLessThanOrEqual(memory);
    const random = createRandom(seed);
    const left: Float32Array[] = [];
    const bits = (...values: number[]): number =>
      left.push(new Float32Array(Float64Array.from(values).buffer.slice(0)));
    for (const options of windows) {
      const length = Number(options.steps ?? steps);
      const first = layers[0]!;
      const x =
        first.type === 'embedding'
          ? Int32Array.from({ length: length * batch }, () =>
              random.integer(0, first.numEmbeddings - 1),
            )
          : Float32Array.from(random.vector(length * batch * model.inputSize, 1));
      const isClass = (typeof loss === 'string' ? loss : loss.type) === 'cross-entropy';
      const width = model.outputSize;
      const target = isClass
        ? Int32Array.from({ length: length * batch }, () => random.integer(0, width - 1))
        : Float32Array.from({ length: length * batch * width }, () => random.unit());
      bits(trainer.evaluateWindow(x, target, options));
      const { loss: mean, gradNorm } = trainer.trainOn(x, target, options);
      bits(mean, gradNorm);
      for (const { data } of trainer.gradients().values()) left.push(data);
      for (const { data } of trainer.snapshot().tensors.values()) left.push(data);
    }
    trainer.dispose();
    model.dispose();
    return left;
  }

  function requireSameBits(task: Task, seed: number): void {
    const { layers, batch, steps, loss } = task;
    const whole = course(task, undefined, seed);
    const model = Model.create(engine, { layers });
    const create = (maxBytes?: number): Trainer =>
      Trainer.create(model, { batch, steps, loss, maxBytes });
    const unlimited = create();
    const least = leastBytes(create);
    expect(least).toBeLessThan(unlimited.bytes);
    for (const share of [0, 0.3, 0.7]) {
      const memory = Math.ceil(least + share * (unlimited.bytes - least));
      const pieces = course(task, memory, seed);
      expect(pieces.length).toBe(whole.length);
      pieces.forEach((array, k) =>
        expect(sameBits(array, whole[k]!), `array ${k}, ${memory}`).toBe(true),
      );
    }
    unlimited.dispose();
    model.dispose();
  }

  const losses: readonly LossChoice[] = [
    'cross-entropy',
    { type: 'cross-entropy', classWeights: [0.3, 1, 2.7, 0.1, 1.9] },
    { type: 'cross-entropy', ignoreIndex: 2 },
    'mse',
    'bce',
    { type: 'huber', delta: 0.3 },
  ];

  it.each(Object.entries(cellForms))('%s: every bit of three windows', (_, form) => {
    for (let seed = 0; seed < 4; seed++) {
      const random = createRandom(seed);
      const [batch, steps] = [random.integer(1, 4), random.integer(30, 60)];
      const cell = { ...form, hiddenSize: random.integer(1, 21), bias: seed !== 2 };
      const top = { type: 'lstm', hiddenSize: 5 } as const;
      const layers: LayerSpec[] =
        seed % 2
          ? [
              { type: 'embedding', numEmbeddings: 7, embeddingDim: 3 },
              { ...cell, numLayers: 2 },
              top,
            ]
          : [{ ...cell, inputSize: 3, numLayers: 2 }];
      const lengths = Array.from({ length: batch }, () => random.integer(0, steps));
      lengths[batch - 1] = random.integer(steps >> 1, steps);
      const windows = [{}, { lengths }, { steps: steps - random.integer(1, steps - 1) }];
      const head = { type: 'linear', outFeatures: 5 } as const;
      const task = { layers: [...layers, head], batch, steps, windows };
      requireSameBits({ ...task, loss: losses[seed]! }, seed);
    }
  });

  it.each(Object.entries(cellForms))('%s: more rows than a block of a sum', (_, form) => {
    const layers: LayerSpec[] = [
      { type: 'embedding', numEmbeddings: 7, embeddingDim: 3 },
      { type: 'conv1d', outChannels: 4, padding: 'causal', kernelSize: 2, stride: 1, groups: 1 },
      { ...form, hiddenSize: 6 },
      { type: 'conv1d', outChannels: 6, padding: 'causal', kernelSize: 2, groups: 6 },
      { type: 'layerNorm' },
      { type: 'linear', outFeatures: 3 },
    ];
    const lengths = Array.from({ length: 301 }, (_, k) => (7 * k) % 20);
    const windows = [{}, { lengths }, { steps: 13 }];
    requireSameBits({ layers, batch: 301, steps: 19, loss: 'mse', windows }, 6);
  });

  const clips = { clip: 0.9, projSize: 4, projClip: 0.5, cellClip: 0.4 };
  const masks = { dropout: 0.3, inputDropout: 0.2, recurrentDropout: 0.4, zoneout: 0.1 };
  const optional: LayerSpec[] = [
    { type: 'lstm', hiddenSize: 7, numLayers: 2, ...clips },
    { type: 'lstm', hiddenSize: 9, layerNorm: true, peephole: 'diagonal' },
    { type: 'gru', hiddenSize: 6, layerNorm: true },
    { type: 'gru', hiddenSize: 6, resetAfter: false, activations: ['hardSigmoid', 'softsign'] },
    { type: 'lstm', hiddenSize: 7, numLayers: 2, ...masks },
    { type: 'gru', hiddenSize: 7, numLayers: 2, ...masks },
    { type: 'indrnn', hiddenSize: 5, numLayers: 2 },
  ];
  it.each(optional)('%j: every bit', (layer) => {
    const layers = [
      { ...layer, inputSize: 3 } as LayerSpec,
      { type: 'linear', outFeatures: 5 },
    ] as const;
    const windows = [{}, { lengths: [50, 11, 0] }, { steps: 37 }];
    requireSameBits({ layers, batch: 3, steps: 50, loss: 'mse', windows }, 2);
  });

  const causal = { type: 'conv1d', padding: 'causal' } as const;
  const streaming: LayerSpec[][] = [
    [
      { ...causal, inChannels: 3, outChannels: 6, kernelSize: 4, dilation: 3, activation: 'tanh' },
      { type: 'layerNorm' },
      { type: 'gru', hiddenSize: 7 },
      { ...causal, outChannels: 4, kernelSize: 3, bias: false },
    ],
    [
      { type: 'embedding', numEmbeddings: 7, embeddingDim: 6 },
      { ...causal, outChannels: 6, kernelSize: 5, dilation: 4, groups: 6 },
      { type: 'lstm', hiddenSize: 5, numLayers: 2, dropout: 0.3, bias: 'single' },
      { ...causal, outChannels: 5, kernelSize: 2, groups: 5 },
    ],
    [
      { type: 'delay', steps: 4, inputSize: 3 },
      { type: 'prelu' },
      { type: 'gru', hiddenSize: 6 },
      { type: 'prelu', shared: true },
      { type: 'scale', factor: [1, -2, 0.5, 3, 1, 0.1], offset: 0.3 },
      { type: 'delay', steps: 15 },
    ],
  ];
  it.each(streaming)('layers that look back, first %j: every bit', (...own) => {
    const head = { type: 'linear', outFeatures: 5, activation: 'silu' } as const;
    // Rows that end in an early segment keep their state through all later ones.
    const windows = [{}, { lengths: [50, 11, 0] }, { steps: 37 }];
    requireSameBits({ layers: [...own, head], batch: 3, steps: 50, loss: 'mse', windows }, 4);
  });

  it.each(losses)('%j: every bit', (loss) => {
    const layers: LayerSpec[] = [
      { type: 'gru', inputSize: 2, hiddenSize: 9 },
      { type: 'linear', outFeatures: 5 },
    ];
    requireSameBits({ layers, batch: 3, steps: 47, loss, windows: [{}, {}] }, 1);
  });

  it('gradients bounded at every step: every bit', () => {
    const layers: LayerSpec[] = [
      { type: 'lstm', inputSize: 2, hiddenSize: 9, numLayers: 2 },
      { type: 'linear', outFeatures: 5 },
    ];
    const gradClip = { step: 1e-3 };
    const windows = [{}, { lengths: [47, 20, 3] }];
    requireSameBits({ layers, batch: 3, steps: 47, loss: 'mse', gradClip, windows }, 1);
  });

  it('tied weights and no linear layer at all: every bit', () => {
    const table = { type: 'embedding', numEmbeddings: 11, embeddingDim: 6 } as const;
    const gru = { type: 'gru', hiddenSize: 6 } as const;
    const tied = { type: 'linear', tied: 'embedding' } as const;
    const loss = 'cross-entropy';
    requireSameBits(
      { layers: [table, gru, tied], batch: 2, steps: 50, loss, windows: [{}, {}] },
      1,
    );
    requireSameBits(
      { layers: [table, gru], batch: 2, steps: 50, loss: 'mse', windows: [{}, {}] },
      1,
    );
  });

  it('refuses what needs the whole sequence at once, and says what would do', () => {
    const lstm = { type: 'lstm', inputSize: 2, hiddenSize: 3 } as const;
    const create =
      (layers: readonly LayerSpec[], options: Partial<TrainerOptions> = {}) =>
      (): Trainer =>
        Trainer.create(Model.create(engine, { layers }), {
          batch: 1,
          steps: 20,
          loss: 'mse',
          maxBytes: 1e6,
          ...options,
        });
    expect(create([lstm, { type: 'pool', mode: 'mean' }])).toThrow(/pool needs whole/);
    expect(create([{ ...lstm, bidirectional: true }])).toThrow(/reading backwards/);
    expect(create([lstm], { bptt: { back: 20, every: 10 } })).toThrow(/"bptt"/);
    expect(create([lstm], { maxBytes: -1 })).toThrow(GatefoldError);
    const least = leastBytes((maxBytes) => create([lstm], { maxBytes })());
    expect(create([lstm], { maxBytes: least - 1 })).toThrow(/at least/);
    const trainer = create([lstm], { maxBytes: least })();
    expect(trainer.bytes).toBeLessThanOrEqual(least);
    const x = new Float32Array(20 * 2);
    expect(() => trainer.forward(x)).toThrow(/room for \d+ steps/);
    expect(() => trainer.forward(x.subarray(0, 2), { steps: 1 })).not.toThrow();
    const target = new Float32Array(20 * 3);
    expect(trainer.trainOn(x, target, { lengths: [0] }).skipped).toBe(true);
  });

  it('a loss that is not finite in one segment changes nothing', () => {
    const layers = [{ type: 'rnn', inputSize: 1, hiddenSize: 4 }] as const;
    const model = Model.create(engine, { layers }, { seed: 1 });
    const create = (maxBytes: number): Trainer =>
      Trainer.create(model, { batch: 1, steps: 40, loss: 'mse', maxBytes, onNonFinite: 'skip' });
    const trainer = create(leastBytes(create));
    const [x, target] = [new Float32Array(40).fill(0.5), new Float32Array(160)];
    trainer.trainOn(x, target);
    const before = [...trainer.snapshot().tensors.values()].map(({ data }) => data);
    target[3] = NaN;
    expect(trainer.trainOn(x, target).finite).toBe(false);
    const after = [...trainer.snapshot().tensors.values()].map(({ data }) => data);
    before.forEach((array, k) => expect(sameBits(array, after[k]!)).toBe(true));
    // Segments before the one that is not finite have gone back by then.
    for (const { data } of trainer.gradients().values())
      expect(data.every((g) => g === 0)).toBe(true);
    target[3] = 0;
    expect(trainer.trainOn(x, target).finite).toBe(true);
    model.dispose();
  });
});

const characters = 96;
const embedding = { type: 'embedding', numEmbeddings: characters, embeddingDim: 64 } as const;
const body = [
  { type: 'lstm', hiddenSize: 64 },
  { type: 'linear', outFeatures: characters },
] as const;

/** One step over T tokens in an engine of its own. */
function step(variant: Variant, steps: number, memory?: number) {
  const random = createRandom(steps);
  const tokens = Int32Array.from({ length: steps + 1 }, () => random.integer(0, characters - 1));
  const engine = createEngine(variant, 512 * MIB);
  const model = Model.create(engine, { layers: [embedding, ...body] }, { seed: 1 });
  const options = { batch: 1, steps, loss: 'cross-entropy', maxBytes: memory } as const;
  const trainer = Trainer.create(model, options);
  const start = performance.now();
  const { loss, gradNorm } = trainer.trainOn(tokens.subarray(0, steps), tokens.subarray(1));
  const seconds = (performance.now() - start) / 1000;
  const arrays = [...trainer.gradients().values(), ...model.stateDict().values()];
  const { bytes } = engine;
  engine.dispose();
  return { loss, gradNorm, arrays: arrays.map(({ data }) => data), bytes, seconds };
}

describe.each(variants)('a character model of 64 units, %s SIMD', (variant) => {
  it('T = 10,000: the same bits in a tenth of the memory', () => {
    const whole = step(variant, 10_000);
    const pieces = step(variant, 10_000, 3 * MIB);
    console.log(
      `${variant}, T = 10,000: ${(whole.bytes / MIB).toFixed(1)} MiB in ${whole.seconds.toFixed(2)} s, ` +
        `under a budget ${(pieces.bytes / MIB).toFixed(1)} MiB in ${pieces.seconds.toFixed(2)} s`,
    );
    expect(pieces.bytes).toBeLessThan(whole.bytes / 8);
    expect([pieces.loss, pieces.gradNorm]).toEqual([whole.loss, whole.gradNorm]);
    pieces.arrays.forEach((array, k) => expect(sameBits(array, whole.arrays[k]!)).toBe(true));
  });
});

it('a character model of 64 units trains over 100,000 steps within 64 MB', () => {
  const { bytes, seconds, loss } = step('relaxed', 100_000, 60e6);
  console.log(`T = 100,000: ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(2)} s`);
  expect(bytes).toBeLessThanOrEqual(64e6);
  expect(Math.abs(loss - Math.log(characters))).toBeLessThan(0.1);
});
