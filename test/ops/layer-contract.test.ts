/**
 * What the contract of layers promises of convolutions, normalisations and activations: the bits of
 * a stream, of cuts in time and of single rows, and what files, snapshots and quantised models keep.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, gradientFlow } from '../../src/hosts/default.ts';
import type { LayerSpec, ModelDescription, StateDict } from '../../src/hosts/default.ts';
import { loadModel, saveModel } from '../../src/formats/gatefold.ts';
import type { RowActivation } from '../../src/ops/activations.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { swapTimeAndBatch } from '../support/product.ts';
import { createRandom } from '../support/random.ts';
import { lossError, LOSS_TOLERANCE, trainBoth } from '../support/training.ts';

type Conv1d = Extract<LayerSpec, { type: 'conv1d' }>;

const CONV: Conv1d = {
  type: 'conv1d',
  inChannels: 3,
  outChannels: 6,
  kernelSize: 3,
  dilation: 2,
  padding: 'causal',
  activation: 'gelu',
};

/** Two convolutions with states, between and before layers of every kind that streams. */
const CAUSAL: readonly LayerSpec[] = [
  CONV,
  { type: 'layerNorm' },
  { type: 'lstm', hiddenSize: 5 },
  { type: 'rmsNorm' },
  { type: 'activation', activation: 'silu' },
  { type: 'batchNorm', frozen: true },
  { type: 'conv1d', outChannels: 4, kernelSize: 2, groups: 1, padding: 'causal' },
  { type: 'linear', outFeatures: 3, activation: 'softmax' },
];

const numbers = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

/** A model, its bias and scales moved away from where they begin. */
function moved(model: Model): Model {
  const tensors: StateDict = new Map(
    [...model.stateDict()].map(([name, { shape, data }], k) => {
      const noise = numbers(k, data.length);
      return [name, { shape, data: data.map((value, i) => value + 0.3 * noise[i]!) }];
    }),
  );
  model.loadStateDict(tensors);
  return model;
}

/** The numbers of a state, one array after the other. */
const flat = (state: Record<string, { h: Float32Array; c?: Float32Array }>): Float32Array =>
  Float32Array.from(Object.values(state).flatMap(({ h, c }) => [...h, ...(c ?? [])]));

function requireSame(actual: Float32Array, expected: Float32Array, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  expect(sameBits(actual, expected), what).toBe(true);
}

describe.each(variants)('layers with states, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  const create = (layers: readonly LayerSpec[], seed = 1): Model =>
    moved(Model.create(engine, { layers }, { seed }));

  it('a stream gives the bits of the whole pass, through blocks, saves, restores and clones', () => {
    const model = create(CAUSAL);
    const [steps, batch] = [61, 3];
    const x = numbers(7, steps * batch * 3);
    const whole = model.forward(x, { steps, batch });
    const out = new Float32Array(whole.output.length);
    const take = (stream: ReturnType<Model['stream']>, from: number, until: number): void =>
      stream.run(
        x.subarray(from * batch * 3, until * batch * 3),
        out.subarray(from * batch * 3, until * batch * 3),
        until - from,
      );
    let stream = model.stream({ batch });
    for (let t = 0; t < 5; t++) take(stream, t, t + 1);
    // Blocks of 16 steps, and what is left of them.
    take(stream, 5, 40);
    const saved = stream.save();
    expect(saved['conv1d']!.h.length).toBe(4 * batch * 3);
    expect(saved['conv1d2']!.h.length).toBe(1 * batch * 5);
    // Steps of nobody: the restored state has no trace of them.
    take(stream, 20, 24);
    stream.restore(saved);
    take(stream, 20, 24);
    stream.restore(saved);
    take(stream, 40, 44);
    stream = stream.clone();
    take(stream, 44, 61);
    take(model.stream({ batch }), 0, 24);
    requireSame(out, whole.output, 'output');
    requireSame(flat(stream.save()), flat(whole.state), 'state');
    stream.reset();
    take(stream, 0, 18);
    requireSame(out, whole.output, 'output after a reset');
    stream = model.stream({ batch, state: saved }).clone();
    take(stream, 40, 44);
    stream.reset();
    take(stream, 40, 61);
    requireSame(out, whole.output, 'output after a reset to a state of its own');
    model.dispose();
  });

  it('the state of a convolution is its last inputs, oldest first', () => {
    const model = create([CONV]);
    const x = numbers(3, 7 * 2 * 3);
    const { state } = model.forward(x, { steps: 7, batch: 2 });
    requireSame(state['conv1d']!.h, x.subarray(3 * 2 * 3), 'long');
    const initial = { conv1d: { h: numbers(4, 4 * 2 * 3) } };
    const short = model.forward(x.subarray(0, 2 * 3), { steps: 1, batch: 2, state: initial });
    const expected = Float32Array.from([...initial.conv1d.h.subarray(6), ...x.subarray(0, 6)]);
    requireSame(short.state['conv1d']!.h, expected, 'shorter than the state');
    model.dispose();
  });

  it('a model that cannot stream says which layer is why, and what would do', () => {
    const reason = (layer: Partial<Conv1d>): (() => void) => {
      const model = create([{ ...CONV, name: 'look', ...layer }]);
      return () => void model.stream();
    };
    expect(reason({ padding: 'valid' })).toThrow(/"look".*later steps.*padding: 'causal'/);
    expect(reason({ padding: 'same' })).toThrow(/"look".*later steps/);
    expect(reason({ padding: [4, 0] })).toThrow(GatefoldError);
    expect(reason({ stride: 2 })).toThrow(/"look".*one output for 2 steps.*model\.forward\(\)/);
    expect(reason({})).not.toThrow();
    expect(reason({ padding: 'valid', kernelSize: 1 })).not.toThrow();
    expect(reason({ padding: [1, 0], kernelSize: 1 })).toThrow(/"look".*later steps/);
  });

  it('a long sequence in chunks has the bits of one pass', () => {
    const model = create([CONV, { type: 'layerNorm' }]);
    const whole = create([CONV, { type: 'layerNorm' }, { type: 'pool', mode: 'last' }]);
    const steps = 1500;
    const x = numbers(2, steps * 3);
    const { output, state } = model.forward(x, { steps });
    // A pool wants all steps in one pass; its chunk is the sequence.
    const pooled = whole.forward(x, { steps });
    requireSame(output.subarray((steps - 1) * 6), pooled.output, 'last output');
    requireSame(state['conv1d']!.h, pooled.state['conv1d']!.h, 'state');
    [model, whole].forEach((each) => each.dispose());
  });

  it('a long sequence with a stride is run as one, and leaves no state', () => {
    const model = create([{ ...CONV, stride: 2, activation: undefined }]);
    const dense = create([{ ...CONV, activation: undefined }]);
    dense.loadStateDict(model.stateDict());
    const steps = 1501;
    const x = numbers(2, steps * 3);
    const { output, state } = model.forward(x, { steps });
    const every = dense.forward(x, { steps }).output;
    const second = every.filter((_, k) => Math.floor(k / 6) % 2 === 0);
    requireSame(output, second, 'every other output');
    expect(state).toEqual({});
    [model, dense].forEach((each) => each.dispose());
  });

  it('warms up layers of few parameters, and of none', () => {
    const model = create([{ type: 'activation', inputSize: 2, activation: 'tanh' }]);
    model.warmUp({ batch: 2, steps: 50 });
    const { output } = model.forward(Float32Array.of(0, 1), { steps: 1 });
    expect(output[1]).toBeCloseTo(Math.tanh(1), 6);
    model.dispose();
  });

  it.each(['valid', 'same', 'causal', [2, 1]] as const)(
    'ragged rows are as each alone, %j',
    (padding) => {
      for (const stride of [1, 2, 3]) {
        const [steps, lengths] = [11, [7, 11, 0, 3, 10, 8]];
        const batch = lengths.length;
        const conv = { ...CONV, dilation: 1, padding, stride } as const;
        const layers = [conv, { type: 'layerNorm' }, { type: 'gru', hiddenSize: 5 }] as const;
        const model = create(layers);
        const x = numbers(9, steps * batch * 3);
        const { output, state } = model.forward(x, { steps, batch, lengths });
        const width = 5;
        lengths.forEach((length, b) => {
          if (length === 0) {
            const own = output.filter((_, k) => Math.floor(k / 5) % batch === b);
            expect(own.every((y) => y === 0)).toBe(true);
            return;
          }
          const row = Float32Array.from({ length: length * 3 }, (_, k) => {
            return x[(Math.floor(k / 3) * batch + b) * 3 + (k % 3)]!;
          });
          const alone = model.forward(row, { steps: length });
          const own = Float32Array.from(alone.output, (_, k) => {
            return output[(Math.floor(k / width) * batch + b) * width + (k % width)]!;
          });
          requireSame(own, alone.output, `row ${b}, stride ${stride}`);
          const h = state['gru']!.h.slice(b * width, (b + 1) * width);
          requireSame(h, alone.state['gru']!.h, `state of row ${b}, stride ${stride}`);
        });
        model.dispose();
      }
    },
  );

  it.each([1, 2, 3, 4])('a long sequence alone is as one of a batch, stride %i', (stride) => {
    const steps = 401;
    const conv = { ...CONV, dilation: 1, padding: [2, 1], stride } as const;
    const model = create([{ type: 'layerNorm', inputSize: 3 }, conv]);
    const x = numbers(stride, steps * 3);
    const alone = model.forward(x, { steps }).output;
    const twice = Float32Array.from({ length: 2 * x.length }, (_, k) => {
      return x[Math.floor(k / 6) * 3 + (k % 3)]!;
    });
    const { output } = model.forward(twice, { steps, batch: 2 });
    const width = CONV.outChannels;
    const own = alone.map((_, k) => output[2 * k - (k % width)]!);
    requireSame(own, alone, `stride ${stride}`);
    model.dispose();
  });

  it.each([1, 2])('steps after the valid ones lie flat as zeros, batch %i', (batch) => {
    const steps = 4;
    const layers: LayerSpec[] = [
      { type: 'linear', inFeatures: 3, outFeatures: 4 },
      { type: 'flatten' },
    ];
    const model = Model.create(engine, { steps, layers }, { seed: 2 });
    const x = numbers(1, steps * batch * 3);
    const { output: whole } = model.forward(x, { steps, batch });
    for (const length of [2, 0, 3]) {
      const lengths = Array.from({ length: batch }, (_, b) => (b ? steps : length));
      const { output } = model.forward(x, { steps, batch, lengths });
      const expected = whole.map((y, k) => (k < 16 && k >= 4 * length ? 0 : y));
      requireSame(output, expected, `length ${length}`);
    }
    model.dispose();
  });

  const description: ModelDescription = {
    layers: [
      CONV,
      { type: 'layerNorm' },
      { type: 'gru', hiddenSize: 4 },
      { type: 'linear', outFeatures: 2 },
    ],
  };

  it.each([undefined, { back: 7, every: 3 }, { back: 3, every: 3 }])(
    'truncated backpropagation as the reference, bptt %j',
    (bptt) => {
      const outcome = trainBoth(engine, {
        description,
        batch: 2,
        steps: 3,
        updates: 12,
        options: { loss: 'mse', optimizer: { type: 'sgd', lr: 0.1, momentum: 0.5 }, bptt },
        seed: 3,
      });
      const worst = Math.max(...outcome.pairs.map(lossError));
      expect(worst).toBeLessThan(LOSS_TOLERANCE);
      expect(outcome.moved).toBeGreaterThan(0.05);
      // Both round the same way of the parameters to float32, over twelve updates.
      expect(outcome.apart).toBeLessThan(1e-4);
    },
  );

  it('a restored snapshot goes on with the same bits, with dropout and a state', () => {
    const layers = [CONV, { type: 'lstm', hiddenSize: 4, numLayers: 2, dropout: 0.4 }] as const;
    const options = { batch: 2, steps: 5, loss: 'mse', seed: 8 } as const;
    const [first, second] = [create(layers), create(layers, 2)];
    const [a, b] = [Trainer.create(first, options), Trainer.create(second, options)];
    const window = (k: number): [Float32Array, Float32Array] => [numbers(k, 30), numbers(-k, 40)];
    for (let k = 0; k < 3; k++) a.trainOn(...window(k));
    b.restore(a.snapshot());
    for (let k = 3; k < 6; k++) expect(b.trainOn(...window(k))).toEqual(a.trainOn(...window(k)));
    for (const [name, { data }] of first.stateDict()) {
      requireSame(second.stateDict().get(name)!.data, data, name);
    }
    [first, second].forEach((model) => model.dispose());
  });

  it('files keep every tensor and every option', () => {
    const layers: readonly LayerSpec[] = [
      { ...CONV, groups: 3, padding: [2, 1], stride: 2, name: 'look' },
      { type: 'layerNorm', eps: 1e-3 },
      { type: 'activation', activation: { type: 'elu', alpha: 0.5 } },
      { type: 'lstm', hiddenSize: 4, bias: 'single' },
    ];
    const model = create(layers);
    const loaded = loadModel(engine, saveModel(model));
    expect(loaded.description).toEqual(model.description);
    expect([...loaded.stateDict().keys()]).toEqual([
      'look.weight',
      'look.bias',
      'layerNorm.weight',
      'layerNorm.bias',
      'lstm.weight_ih_l0',
      'lstm.weight_hh_l0',
      'lstm.bias_ih_l0',
    ]);
    expect(loaded.stateDict().get('look.weight')!.shape).toEqual([6, 1, 3]);
    const x = numbers(5, 9 * 3);
    const given = { steps: 9 };
    requireSame(loaded.forward(x, given).output, model.forward(x, given).output, 'output');
    [model, loaded].forEach((each) => each.dispose());
  });

  it('quantised, a model keeps convolutions and normalisations in float32', () => {
    const model = create(CAUSAL);
    const quantised = model.quantize();
    for (const [name, { data }] of model.stateDict()) {
      const own = quantised.stateDict().get(name)!.data;
      const isMatrix = /^(lstm\.weight|linear\.weight)/.test(name);
      expect(sameBits(own, data), name).toBe(!isMatrix);
    }
    const [steps, batch] = [20, 2];
    const x = numbers(6, steps * batch * 3);
    const whole = quantised.forward(x, { steps, batch });
    const exact = model.forward(x, { steps, batch });
    const error = whole.output.map((y, k) => Math.abs(y - exact.output[k]!));
    expect(Math.max(...error)).toBeGreaterThan(0);
    expect(Math.max(...error)).toBeLessThan(0.02);
    const out = new Float32Array(whole.output.length);
    quantised.stream({ batch }).run(x, out, steps);
    requireSame(out, whole.output, 'stream');
    const loaded = loadModel(engine, saveModel(quantised));
    requireSame(loaded.forward(x, { steps, batch }).output, whole.output, 'file');
    [model, quantised, loaded].forEach((each) => each.dispose());
  });

  it.each([
    ['a state', CONV],
    ['fewer steps', { ...CONV, stride: 2, padding: 'same' } as const],
  ])('gates and gradient flow of a layer behind a convolution are its own, %s', (_, conv) => {
    const lstm = { type: 'lstm', inputSize: 6, hiddenSize: 4, numLayers: 2 } as const;
    const [both, front, back] = [create([conv, lstm]), create([conv]), create([lstm])];
    both.loadStateDict(new Map([...front.stateDict(), ...back.stateDict()]));
    const [steps, batch, lengths] = [9, 2, [9, 6]];
    const x = numbers(4, steps * batch * 3);
    const middle = front.forward(x, { steps, batch, lengths }).output;
    const inner = middle.length / (batch * 6);
    const stride = Math.round(steps / inner);
    const own = { steps: inner, batch, lengths: lengths.map((n) => Math.ceil(n / stride)) };
    const gates = both.gates(x, { steps, batch, lengths })['lstm']!;
    for (const [name, expected] of Object.entries(back.gates(middle, own)['lstm']!)) {
      requireSame(gates[name]!, expected, name);
    }
    const target = numbers(5, inner * batch * 4);
    const flow = gradientFlow(both, { x, target, loss: 'mse', steps, batch, lengths });
    const alone = gradientFlow(back, { x: middle, target, loss: 'mse', ...own });
    expect(flow['lstm']).toEqual(alone['lstm']);
    expect(Object.keys(flow)).toEqual(['lstm']);
    both.warmUp({ batch, steps });
    requireSame(both.gates(x, { steps, batch, lengths })['lstm']!['cell']!, gates['cell']!, 'warm');
    [both, front, back].forEach((model) => model.dispose());
  });

  it.each(['zero', 'repeat'] as const)('the batch may come first, padding %s', (padding) => {
    const model = create([
      { ...CONV, stride: 2 },
      { type: 'rnn', hiddenSize: 4 },
    ]);
    const [steps, batch, lengths] = [9, 3, [9, 4, 7]];
    const x = numbers(8, steps * batch * 3);
    const given = { steps, batch, lengths, padding };
    const { output, state } = model.forward(x, given);
    const swapped = swapTimeAndBatch(x, steps, batch);
    const other = model.forward(swapped, { ...given, batchFirst: true });
    requireSame(swapTimeAndBatch(other.output, batch, 5), output, 'output');
    requireSame(flat(other.state), flat(state), 'state');
    const out = new Float32Array(output.length).fill(7);
    model.forward(x, { ...given, out });
    requireSame(out, output, 'in an array of the caller');
    // Of the 5 outputs of a row the one of 4 steps has 2.
    const row = (t: number): number[] =>
      Array.from({ length: 4 }, (_, k) => output[(t * batch + 1) * 4 + k]!);
    expect(row(4)).toEqual(padding === 'zero' ? [0, 0, 0, 0] : row(1));
    expect(row(1).every((y) => y !== 0)).toBe(true);
    model.dispose();
  });

  it('rows too short for an output have none, and no target', () => {
    const layers = [{ ...CONV, padding: 'valid', dilation: 1, activation: undefined }] as const;
    const model = create(layers);
    const [steps, batch, lengths] = [6, 3, [2, 1, 0]];
    const x = numbers(1, steps * batch * 3);
    const { output } = model.forward(x, { steps, batch, lengths, padding: 'repeat' });
    expect(output.length).toBe(4 * batch * 6);
    expect(output.every((y) => y === 0)).toBe(true);
    const trainer = Trainer.create(model, { batch, steps, loss: 'mse' });
    const target = numbers(2, output.length);
    expect(trainer.trainOn(x, target, { lengths })).toMatchObject({ loss: 0, gradNorm: 0 });
    model.dispose();
  });

  it('ctc counts the steps that a strided convolution leaves', () => {
    const conv = { ...CONV, stride: 2, padding: 'same', activation: undefined } as const;
    const head = { type: 'linear', inFeatures: 6, outFeatures: 5 } as const;
    const [both, front, back] = [create([conv, head]), create([conv]), create([head])];
    both.loadStateDict(new Map([...front.stateDict(), ...back.stateDict()]));
    const [batch, steps, lengths] = [2, 12, [12, 9]];
    const optimizer = { type: 'sgd', lr: 0 } as const;
    const train = (model: Model, most: number): Trainer =>
      Trainer.create(model, { batch, steps: most, loss: 'ctc', optimizer });
    const x = numbers(3, steps * batch * 3);
    const middle = front.forward(x, { steps, batch, lengths }).output;
    const target = Int32Array.of(1, 2, 1, 3, 4, 4);
    const [whole, part] = [train(both, steps), train(back, 6)];
    const report = whole.trainOn(x, target, { lengths, targetLengths: [3, 2] });
    const expected = part.trainOn(middle, target, { lengths: [6, 5], targetLengths: [3, 2] });
    expect(report.loss).toBe(expected.loss);
    for (const [name, { data }] of part.gradients()) {
      requireSame(whole.gradients().get(name)!.data, data, name);
    }
    [both, front, back].forEach((model) => model.dispose());
  });

  it('fit learns which way the input went, through a convolution, a GRU and a softmax', async () => {
    const layers: readonly LayerSpec[] = [
      {
        type: 'conv1d',
        inChannels: 1,
        outChannels: 8,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
      },
      { type: 'layerNorm' },
      { type: 'gru', hiddenSize: 8 },
      { type: 'linear', outFeatures: 3 },
    ];
    const model = Model.create(engine, { layers }, { seed: 2 });
    const [batch, steps] = [8, 10];
    const optimizer = { type: 'adam', lr: 0.02 } as const;
    const trainer = Trainer.create(model, { batch, steps, loss: 'cross-entropy', optimizer });
    const random = createRandom(1);
    // A class is the direction in which the last two inputs went.
    const windows = Array.from({ length: 6 }, () => {
      const inputs = Float32Array.from(random.vector(steps * batch, 1));
      const targets = Int32Array.from({ length: steps * batch }, (_, k) => {
        if (k < batch) return 0;
        return inputs[k]! > inputs[k - batch]! ? 1 : 2;
      });
      return { inputs, targets, steps, fresh: true };
    });
    const data = { length: 6, window: (index: number) => windows[index]! };
    const before = trainer.evaluate(data).loss;
    await trainer.fit(data, { epochs: 30 });
    expect(trainer.evaluate(data).loss).toBeLessThan(before / 4);
    const { output } = Model.create(engine, {
      layers: [{ type: 'activation', inputSize: 3, activation: 'softmax' }],
    }).forward(model.forward(windows[0]!.inputs, { steps, batch }).output, { steps, batch });
    const right = windows[0]!.targets.filter((target, row) => {
      const own = output.subarray(3 * row, 3 * row + 3);
      return own[target] === Math.max(...own);
    });
    expect(right.length / (steps * batch)).toBeGreaterThan(0.9);
    model.dispose();
  });

  it('fit reports as many targets as there are outputs of valid steps', async () => {
    const conv = { ...CONV, padding: 'same', stride: 2, activation: undefined } as const;
    const run = async (layers: readonly LayerSpec[], rows: number): Promise<number[]> => {
      const model = create(layers);
      const trainer = Trainer.create(model, { batch: 3, steps: 7, loss: 'mse' });
      const [inputs, targets] = [numbers(1, 7 * 3 * 3), numbers(2, rows * 6)];
      const windows = [{}, { lengths: [7, 4, 0] }].map((own) => ({
        inputs,
        targets,
        steps: 7,
        ...own,
      }));
      const counts: number[] = [];
      const data = { length: 2, window: (index: number) => windows[index]! };
      for await (const { targetCount } of trainer.fit(data, { epochs: 1 }))
        counts.push(targetCount);
      model.dispose();
      return counts;
    };
    expect(await run([conv], 4 * 3)).toEqual([12, 6]);
    expect(await run([conv, { type: 'pool', mode: 'mean' }], 3)).toEqual([3, 2]);
  });

  it('refuses what does not fit, by its name and with what would', () => {
    const made =
      (...layers: readonly LayerSpec[]): (() => Model) =>
      () =>
        create(layers);
    expect(made({ ...CONV, groups: 2 })).toThrow(
      /"layers\[0\]\.groups" expected a divisor of "inChannels", 3, got 2/,
    );
    expect(made({ ...CONV, inChannels: 4, groups: 4 })).toThrow(
      /divisor of "outChannels", 6, got 4/,
    );
    const wrong = (padding: unknown): void =>
      expect(made({ ...CONV, padding } as Conv1d), String(padding)).toThrow(
        /"layers\[0\]\.padding/,
      );
    [0, 'full', [1], [1, 2, 3], [-1, 0], [0, 0.5], null].forEach(wrong);
    expect(made({ ...CONV, kernelSize: 0 })).toThrow(/kernelSize/);
    expect(made({ ...CONV, kernelSize: 2 ** 16, dilation: 2 ** 16 })).toThrow(
      /"layers\[0\]" looks 4294901760 steps back, and 1048576 are allowed/,
    );
    expect(made(CONV, { type: 'layerNorm', inputSize: 5 })).toThrow(/expected 6/);
    expect(made(CONV, { type: 'layerNorm', eps: 0 })).toThrow(/eps/);
    expect(made(CONV, { type: 'pool', mode: 'max' }, { ...CONV, inChannels: 6 })).toThrow(
      /"conv1d2" stands after a pool/,
    );
    const withAlpha = { type: 'softmax', alpha: 1 } as unknown as RowActivation;
    expect(made(CONV, { type: 'activation', activation: withAlpha })).toThrow(/softmax takes none/);
    expect(made({ type: 'activation', activation: 'tanh' })).toThrow(/inputSize.*needed/);
    const gate = {
      type: 'lstm',
      inputSize: 2,
      hiddenSize: 2,
      activations: ['softmax', 'tanh', 'tanh'],
    };
    expect(made(gate as unknown as LayerSpec)).toThrow(/activations/);
    const model = create([{ ...CONV, padding: 'valid' }]);
    const x = new Float32Array(4 * 3);
    expect(() => model.forward(x, { steps: 4 })).toThrow(/"steps" of 4 leaves "conv1d" 4, too few/);
    const trainer = Trainer.create(model, { batch: 1, steps: 6 });
    expect(() => trainer.forward(x, { steps: 4 })).toThrow(/too few for one output/);
    expect(() => Trainer.create(model, { batch: 1, steps: 6, maxBytes: 1e6 })).toThrow(
      GatefoldError,
    );
    const bptt = { back: 6, every: 3 };
    expect(() => Trainer.create(model, { batch: 1, steps: 6, bptt })).toThrow(
      /"bptt".*"conv1d" does not keep/,
    );
    model.dispose();
  });
});
