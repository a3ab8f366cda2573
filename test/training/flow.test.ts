/**
 * The norms of the gradients on their way back, against float64: dL/dh and dL/dc after step t are
 * the gradients of the initial state of the rest of the sequence, and what the output of step t
 * itself adds.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, gradientFlow } from '../../src/hosts/default.ts';
import type { FlowBatch, ModelDescription } from '../../src/hosts/default.ts';
import { zeroState } from '../reference/layers.ts';
import { backward, forward, type Parameters, type State } from '../reference/network.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

type Case = [what: string, layers: ModelDescription['layers'], batch: FlowBatch];

const STEPS = 7;
const norm = (x: ArrayLike<number>): number =>
  Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
const layers = [
  { type: 'rnn', inputSize: 3, hiddenSize: 5 },
  { type: 'gru', inputSize: 3, hiddenSize: 5 },
  { type: 'gru', inputSize: 3, hiddenSize: 5, resetAfter: false },
  { type: 'lstm', inputSize: 3, hiddenSize: 5 },
] as const;

function exactParameters(model: Model): Parameters {
  return new Map(
    [...model.stateDict()].map(([key, { shape, data }]) => [
      key,
      { shape, data: Float64Array.from(data) },
    ]),
  );
}

/**
 * The state after step t of one row of 3 inputs, and the gradient of it that the steps behind it
 * send back.
 */
function around(
  description: ModelDescription,
  parameters: Parameters,
  x: Float32Array,
  dOutput: ArrayLike<number>,
  t: number,
): { before: State; rest: State } {
  const zero = zeroState(description, 1);
  const run = (from: number, until: number, state: State): ReturnType<typeof forward> => {
    const dims = { steps: until - from, batch: 1 };
    return forward(description, parameters, x.subarray(3 * from, 3 * until), dims, state);
  };
  const before = run(0, t + 1, zero).state;
  if (t + 1 === STEPS) return { before, rest: zero };
  const { tape } = run(t + 1, STEPS, before);
  const width = dOutput.length / STEPS;
  const dRest = Float64Array.from(dOutput).slice(width * (t + 1));
  return { before, rest: backward(description, parameters, tape, dRest, zero).state };
}

describe.each(variants)('gradient flow, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it.each(layers)('$type is that of the reference at every step', (layer) => {
    const description = { layers: [layer] };
    const model = Model.create(engine, description, { seed: 2 });
    const trainer = Trainer.create(model, { batch: 1, steps: STEPS });
    const random = createRandom(5);
    const x = Float32Array.from(random.vector(STEPS * 3, 1));
    const dOutput = Float32Array.from(random.vector(STEPS * 5, 1));
    trainer.forward(x);
    const { flow } = trainer.backward({ output: dOutput, flow: true });
    const { h, c } = flow![layer.type]!;

    const parameters = exactParameters(model);
    for (let t = 0; t < STEPS; t++) {
      const { before, rest } = around(description, parameters, x, dOutput, t);
      const dh = Float64Array.from(rest[layer.type]!.h, (v, k) => v + dOutput[5 * t + k]!);
      expect(Math.abs(h[t]! / norm(dh) - 1), `h, step ${t}`).toBeLessThan(1e-5);
      if (!c) continue;
      // h = o tanh(c), so that dh/dc = o (1 - tanh(c)^2) with o = h / tanh(c).
      const state = before[layer.type]!;
      const dc = Float64Array.from(rest[layer.type]!.c, (v, k) => {
        const tanh = Math.tanh(state.c[k]!);
        return v + dh[k]! * (state.h[k]! / tanh) * (1 - tanh * tanh);
      });
      expect(Math.abs(c[t]! / norm(dc) - 1), `c, step ${t}`).toBeLessThan(1e-5);
    }
    expect(c === undefined).toBe(layer.type !== 'lstm');
  });

  it('knows a clipped h where inference mixes it with the old one', () => {
    const clips = { projSize: 4, projClip: 0.03, zoneout: 0.3 };
    const description = {
      layers: [{ type: 'lstm', inputSize: 3, hiddenSize: 6, ...clips }],
    } as const;
    const model = Model.create(engine, description, { seed: 2 });
    const random = createRandom(5);
    const x = Float32Array.from(random.vector(STEPS * 3, 1));
    const target = Float32Array.from(random.vector(STEPS * 4, 1));
    const parameters = exactParameters(model);
    const dims = { steps: STEPS, batch: 1 };
    const { output } = forward(description, parameters, x, dims, zeroState(description, 1));
    const dOutput = output.map((y, k) => (2 * (y - target[k]!)) / output.length);
    const { h } = gradientFlow(model, { x, target, loss: 'mse', steps: STEPS })['lstm']!;
    for (let t = 0; t < STEPS; t++) {
      const { rest } = around(description, parameters, x, dOutput, t);
      const dh = rest['lstm']!.h.map((v, k) => v + dOutput[4 * t + k]!);
      expect(Math.abs(h[t]! / norm(dh) - 1), `step ${t}`).toBeLessThan(1e-5);
    }
  });

  it('measuring changes no bit, and is not done unless asked for', () => {
    const description = {
      layers: [{ type: 'lstm', inputSize: 2, hiddenSize: 9, bidirectional: true }],
    } as const;
    const model = Model.create(engine, description);
    const trainer = Trainer.create(model, { batch: 2, steps: 4 });
    const x = new Float32Array(16).fill(0.5);
    const output = new Float32Array(4 * 2 * 18).fill(1);
    const run = (flow: boolean): ReturnType<Trainer['backward']> => {
      trainer.zeroGradients();
      trainer.forward(x, { lengths: [4, 2] });
      return trainer.backward({ output, flow });
    };
    const plain = run(false);
    const gradients = trainer.gradients();
    const measured = run(true);
    expect(plain.flow).toBeUndefined();
    expect(measured.flow!['lstm']!.h.length).toBe(2 * 4);
    expect(measured.input).toEqual(plain.input);
    expect(trainer.gradients()).toEqual(gradients);
  });
});

const random = createRandom(8);
const values = (length: number): Float32Array => Float32Array.from(random.vector(length, 1));
const onlyLast = { type: 'cross-entropy', ignoreIndex: -1 } as const;

const CASES: Case[] = [
  [
    'characters, the loss at the last step alone',
    [
      { type: 'embedding', numEmbeddings: 5, embeddingDim: 3 },
      { type: 'lstm', hiddenSize: 6, numLayers: 2 },
      { type: 'linear', outFeatures: 5 },
    ],
    {
      x: Int32Array.of(1, 4, 0, 2),
      target: Int32Array.of(-1, -1, -1, 3),
      loss: onlyLast,
      steps: 4,
    },
  ],
  [
    'ragged rows, batch first, from a state',
    [
      { type: 'gru', inputSize: 2, hiddenSize: 5, bidirectional: true },
      { type: 'linear', outFeatures: 2 },
    ],
    {
      x: values(3 * 4 * 2),
      target: values(3 * 4 * 2),
      loss: 'mse',
      steps: 4,
      batch: 3,
      batchFirst: true,
      lengths: [2, 4, 0],
      state: { gru: { h: values(2 * 3 * 5) } },
    },
  ],
  [
    'one output a sequence',
    [
      { type: 'lstm', inputSize: 2, hiddenSize: 4 },
      { type: 'pool', mode: 'last' },
      { type: 'linear', outFeatures: 3 },
    ],
    { x: values(6 * 2 * 2), target: Int32Array.of(2, 0), loss: onlyLast, steps: 6, batch: 2 },
  ],
];

describe.each(variants)('gradientFlow, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it('is the chain rule, worked out by hand', () => {
    // h' = relu(0.5 h + x), and the mean square leaves 2 (h - target) / T at the only step that
    // misses its target.
    const model = Model.create(engine, {
      layers: [{ type: 'rnn', inputSize: 1, hiddenSize: 1, nonlinearity: 'relu', bias: false }],
    });
    const one = (value: number): { shape: number[]; data: Float32Array } => ({
      shape: [1, 1],
      data: Float32Array.of(value),
    });
    model.loadStateDict(
      new Map([
        ['rnn.weight_ih_l0', one(1)],
        ['rnn.weight_hh_l0', one(0.5)],
      ]),
    );
    const x = Float32Array.of(1, 1, 1, 1);
    const target = Float32Array.of(1, 1.5, 1.75, 1.875 - 3);
    const { rnn } = gradientFlow(model, { x, target, loss: 'mse', steps: 4 });
    expect([...rnn!.h]).toEqual([1.5 / 8, 1.5 / 4, 1.5 / 2, 1.5]);
    expect(rnn!.c).toBeUndefined();
  });

  it.each(CASES)('is what a trainer measures: %s', (_, stack, given) => {
    const model = Model.create(engine, { layers: stack }, { seed: 4 });
    const { x, target, loss, steps, batch = 1, ...options } = given;
    const trainer = Trainer.create(model, { batch, steps: steps!, loss });
    trainer.forward(x, options);
    const { flow } = trainer.backward({ target, flow: true });
    const parameters = model.stateDict();
    expect(gradientFlow(model, given)).toEqual(flow);
    expect(Object.values(flow!)[0]!.h.some((strength) => strength > 0)).toBe(true);
    expect(model.stateDict()).toEqual(parameters);
  });

  it('leaves dropout out, as inference does', () => {
    const sizes = { type: 'lstm', inputSize: 2, hiddenSize: 8, numLayers: 2 } as const;
    const batch = { x: values(10), target: values(5 * 8), loss: 'mse', steps: 5 } as const;
    const [plain, dropped] = [{}, { dropout: 0.5, recurrentDropout: 0.5 }].map((options) =>
      Model.create(engine, { layers: [{ ...sizes, ...options }] }, { seed: 1 }),
    );
    const [expected, actual] = [plain!, dropped!].map(
      (model) => gradientFlow(model, batch)['lstm']!,
    );
    expected!.h.forEach((strength, at) => {
      // Layers with options sum in another order; a mask would change the first digit.
      expect(Math.abs(actual!.h[at]! / strength - 1)).toBeLessThan(1e-5);
    });
    expect(gradientFlow(dropped!, batch)['lstm']).toEqual(actual);
  });

  it('gives its memory back, and takes none for what is wrong', () => {
    const own = createEngine(variant, 2 ** 20);
    const [, stack, given] = CASES[1]!;
    const model = Model.create(own, { layers: stack });
    gradientFlow(model, given);
    const { bytes } = own;
    for (let k = 0; k < 50; k++) gradientFlow(model, given);
    const wrong: [unknown, string, RegExp][] = [
      [{ ...given, x: values(3) }, 'ERR_SHAPE', /"x"/],
      [{ ...given, target: values(3) }, 'ERR_SHAPE', /"target"/],
      [{ ...given, loss: 'rmse' }, 'ERR_ARGUMENT', /"loss"/],
      [{ ...given, loss: 'ctc' }, 'ERR_UNSUPPORTED', /takes a trainer: backward/],
      [{ ...given, loss: { type: 'ctc', blank: 1 } }, 'ERR_UNSUPPORTED', /takes a trainer/],
      [{ ...given, steps: undefined }, 'ERR_ARGUMENT', /"steps"/],
      [{ ...given, lengths: [0, 0, 0] }, 'ERR_ARGUMENT', /"lengths"/],
      [{ ...given, state: { lstm: {} } }, 'ERR_ARGUMENT', /"state"/],
      [{ ...given, padding: 'zero' }, 'ERR_ARGUMENT', /padding/],
    ];
    for (const [batch, code, message] of wrong) {
      const call = (): unknown => gradientFlow(model, batch as FlowBatch);
      expect(call).toThrow(message);
      expect(call).toThrow(expect.objectContaining({ code }) as GatefoldError);
    }
    expect(own.bytes).toBe(bytes);
    const steps = 20_000;
    const long = { x: values(steps * 2), target: values(steps * 2), loss: 'mse', steps } as const;
    expect(() => gradientFlow(model, long)).toThrow(/gradient flow of batch 1 and 20000 steps/);
    expect(gradientFlow(model, given)).toEqual(gradientFlow(model, given));
    own.dispose();
  });
});
