/**
 * Many to one: the pooled outputs of ragged batches against every row alone in float64, for all
 * directions; training on them; a pair of models that hands on its state.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, type LossChoice } from '../../src/hosts/default.ts';
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import { linearBackward, linearForward } from '../reference/dense.ts';
import { crossEntropy } from '../reference/loss.ts';
import { zeroState } from '../reference/layers.ts';
import { backward, forward, zerosLike } from '../reference/network.ts';
import { poolBackward, poolForward, type PoolMode } from '../reference/pool.ts';
import { cellForms } from '../support/cells.ts';
import { createEngine, variants } from '../support/engines.ts';
import { gradcheck, smallProblem } from '../support/gradcheck.ts';
import { largestError, swapTimeAndBatch, toParameters } from '../support/product.ts';
import { createRandom, type Random } from '../support/random.ts';
import { directionsOf, layerSpec, runRow, type RowLayer, type RowStates } from '../support/rows.ts';

type Vec = Float64Array;
const MODES = ['last', 'mean', 'max'] as const;
const f32 = (x: ArrayLike<number>): Float32Array => Float32Array.from(x);
const f64 = (x: ArrayLike<number>): Vec => Float64Array.from(x);
const none = (): Vec => new Float64Array(0);

it('the reference pools as differences say', () => {
  for (let seed = 0; seed < 60; seed++) {
    const mode = MODES[seed % 3]!;
    const form = Object.values(cellForms)[seed % 10]!;
    const problem = smallProblem(
      (random) => ({
        layers: [
          { ...form, inputSize: random.integer(1, 4), hiddenSize: random.integer(1, 4) },
          { type: 'pool', mode },
          { type: 'linear', outFeatures: random.integer(1, 4) },
        ],
      }),
      seed,
    );
    gradcheck(problem, `${mode}, seed ${seed}`);
  }
});

/** One row [T, I] of at least one step: what is pooled, and back from the gradient of that. */
function pooledRow(
  layer: RowLayer,
  mode: PoolMode,
  parameters: ReturnType<typeof toParameters>,
  x: Vec,
) {
  const { hiddenSize: size } = layer;
  const ways = directionsOf(layer).length;
  const zeros = (): RowStates =>
    Array.from({ length: layer.numLayers * ways }, () => ({
      h: new Float64Array(size),
      c: layer.form.type === 'lstm' ? new Float64Array(size) : none(),
    }));
  const run = runRow(layer, parameters, x, zeros());
  const dims = { steps: x.length / layer.inputSize, batch: 1 };
  if (mode !== 'last') {
    return {
      y: poolForward(mode, run.output, dims),
      back: (dy: Vec, gradients: typeof parameters) =>
        run.backward(poolBackward(mode, run.output, dy, dims), zeros(), gradients).input,
    };
  }
  // The final outputs are the final states of the top sub-layer: no way through time is needed to
  // find them.
  const [a, b] = run.last.slice(-ways).map(({ h }) => h);
  const { merge } = layer;
  const join: Record<RowLayer['merge'], (p: Vec, q: Vec) => Vec> = {
    concat: (p, q) => f64([...p, ...q]),
    sum: (p, q) => p.map((v, k) => v + q[k]!),
    mul: (p, q) => p.map((v, k) => v * q[k]!),
    ave: (p, q) => p.map((v, k) => (v + q[k]!) / 2),
  };
  const share: Record<RowLayer['merge'], (d: Vec, other: Vec, way: number) => Vec> = {
    concat: (d, _, way) => d.subarray(way * size, (way + 1) * size),
    sum: (d) => d,
    mul: (d, other) => d.map((v, k) => v * other[k]!),
    ave: (d) => d.map((v) => v / 2),
  };
  return {
    y: b ? join[merge](a!, b) : a!,
    back: (dy: Vec, gradients: typeof parameters) => {
      const last = zeros();
      const top = last.slice(-ways);
      if (b) top.forEach(({ h }, way) => h.set(share[merge](dy, way ? a! : b, way)));
      else top[0]!.h.set(dy);
      return run.backward(new Float64Array(run.output.length), last, gradients).input;
    },
  };
}

function randomLayer(random: Random, direction: RowLayer['direction'], k: number): RowLayer {
  const merge =
    direction === 'both' ? (['concat', 'sum', 'mul', 'ave'] as const)[k % 4]! : 'concat';
  return {
    form: random.pick(Object.values(cellForms)),
    inputSize: random.integer(1, 6),
    hiddenSize: random.integer(1, 19),
    numLayers: random.integer(1, 2),
    direction,
    merge,
  };
}

const worst = { forward: 0, gradient: 0, cases: 0 };
function requireClose(
  kind: 'forward' | 'gradient',
  got: Float32Array,
  want: Vec,
  label: string,
): void {
  // As in test/graph/sequences.test.ts: outputs by the largest, gradients by norm, with the same
  // floors and limits.
  const norm = (x: Vec): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
  const error =
    kind === 'forward'
      ? largestError(got, want) / want.reduce((most, v) => Math.max(most, Math.abs(v)), 0.1)
      : norm(want.map((v, k) => v - got[k]!)) / Math.max(norm(want), 1e-2);
  worst[kind] = Math.max(worst[kind], error);
  expect(error, label).toBeLessThanOrEqual(kind === 'forward' ? 2e-6 : 1e-4);
}

describe.each(variants)('pools, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => {
    engine.dispose();
    console.log(
      `${worst.cases} pooled batches; worst forward error ${worst.forward.toExponential(2)}, gradient ${worst.gradient.toExponential(2)}`,
    );
  });

  /** A pool over a layer and, in half of the cases, a linear layer on it. */
  function check(mode: PoolMode, direction: RowLayer['direction'], k: number): void {
    const random = createRandom(1000 * k + 10 * mode.length + direction.length);
    const layer = randomLayer(random, direction, k);
    const [steps, batch] = [random.integer(1, 11), random.integer(1, 6)];
    const lengths = Array.from({ length: batch }, () => (k % 3 ? random.integer(0, steps) : steps));
    const head: LayerSpec[] = k % 2 ? [{ type: 'linear', name: 'head', outFeatures: 5 }] : [];
    const layers = [layerSpec(layer), { type: 'pool', mode } as const, ...head];
    const model = Model.create(engine, { layers }, { seed: k });
    const { inputSize, outputSize } = model;
    const trainer = Trainer.create(model, { batch, steps: steps + (k % 2) });
    const x = f32(random.vector(steps * batch * inputSize, 1));
    const dOutput = f32(random.vector(batch * outputSize, 1));
    const batchFirst = k % 5 === 0;
    const given = batchFirst ? swapTimeAndBatch(x, steps, batch) : x;
    // A pass before this one, over other steps, must leave nothing behind.
    trainer.forward(given, { steps, batchFirst });
    trainer.backward({ output: dOutput });
    trainer.zeroGradients();
    const { output } = trainer.forward(given, { steps, lengths, batchFirst });
    const back = trainer.backward({ output: dOutput });
    const label = `${mode}, T ${steps}, lengths ${lengths.join()}, ${JSON.stringify(layer)}`;
    expect(model.forward(given, { steps, batch, lengths, batchFirst }).output, label).toEqual(
      output,
    );

    const parameters = toParameters(model.stateDict());
    const gradients = zerosLike(parameters);
    const weights = (from: typeof parameters) => ({
      weight: from.get('head.weight')!.data,
      bias: from.get('head.bias')!.data,
    });
    const want = new Float64Array(output.length);
    const dx = new Float64Array(x.length);
    lengths.forEach((length, b) => {
      const row = Float64Array.from(
        { length: length * inputSize },
        (_, i) => x[(Math.floor(i / inputSize) * batch + b) * inputSize + (i % inputSize)]!,
      );
      const wide = direction === 'both' && layer.merge === 'concat' ? 2 : 1;
      const pooled = length
        ? pooledRow(layer, mode, parameters, row)
        : { y: new Float64Array(wide * layer.hiddenSize), back: none };
      let dy: Vec = f64(dOutput.subarray(b * outputSize, (b + 1) * outputSize));
      let y = pooled.y;
      if (head.length) {
        y = linearForward(weights(parameters), pooled.y, 1, outputSize);
        dy = linearBackward(weights(parameters), weights(gradients), pooled.y, dy, 1);
      }
      want.set(y, b * outputSize);
      pooled.back(dy, gradients).forEach((value, i) => {
        dx[(Math.floor(i / inputSize) * batch + b) * inputSize + (i % inputSize)] = value;
      });
    });
    requireClose('forward', output, want, label);
    const gotX = batchFirst ? swapTimeAndBatch(back.input!, batch, steps) : back.input!;
    requireClose('gradient', gotX, dx, `gradient of x, ${label}`);
    for (const [name, { data }] of trainer.gradients()) {
      requireClose('gradient', data, gradients.get(name)!.data, `gradient of ${name}, ${label}`);
    }
    worst.cases++;
    trainer.dispose();
    model.dispose();
  }

  describe.each(MODES)('%s', (mode) => {
    it.each(['forward', 'backward', 'both'] as const)('of a layer reading %s', (direction) => {
      for (let k = 0; k < 24; k++) check(mode, direction, k);
    });
  });

  it.each(MODES)('%s behind a stack with dropout, which inference leaves out', (mode) => {
    const create = (dropout: number): Model => {
      const lstm = { type: 'lstm', inputSize: 2, hiddenSize: 6, numLayers: 2, dropout } as const;
      const head = { type: 'linear', outFeatures: 3 } as const;
      return Model.create(engine, { layers: [lstm, { type: 'pool', mode }, head] }, { seed: 9 });
    };
    const x = f32(createRandom(3).vector(8 * 3 * 2, 1));
    const run = (model: Model): Float32Array =>
      model.forward(x, { steps: 8, batch: 3, lengths: [8, 0, 5] }).output;
    expect(run(create(0.5))).toEqual(run(create(0)));
  });

  it('the first of equal maxima takes the gradient, and rows without a step none', () => {
    const layers = [
      { type: 'embedding', numEmbeddings: 3, embeddingDim: 2 },
      { type: 'pool', mode: 'max' },
    ] as const;
    const model = Model.create(engine, { layers });
    const data = f32([1, 5, 1, 4, 0, 5]);
    model.loadStateDict(new Map([['embedding.weight', { shape: [3, 2], data }]]));
    const trainer = Trainer.create(model, { batch: 2, steps: 3 });
    const tokens = Int32Array.of(1, 0, 2, 0, 0, 0);
    const { output } = trainer.forward(tokens, { lengths: [3, 0] });
    expect([...output]).toEqual([1, 5, 0, 0]);
    trainer.backward({ output: f32([1, 1, 1, 1]) });
    expect([...trainer.gradients().get('embedding.weight')!.data]).toEqual([0, 0, 1, 0, 0, 1]);
    model.dispose();
  });

  const classifier = (mode: PoolMode): ModelDescription => ({
    layers: [
      { type: 'gru', inputSize: 2, hiddenSize: 7 },
      { type: 'pool', mode },
      { type: 'linear', outFeatures: 3 },
    ],
  });

  it.each(MODES)('%s: step, evaluate and backward({ target }) take one target a row', (mode) => {
    const model = Model.create(engine, classifier(mode), { seed: 3 });
    const [batch, steps] = [4, 6];
    const options = {
      batch,
      steps,
      loss: 'cross-entropy',
      optimizer: { type: 'sgd', lr: 0 },
    } as const;
    const trainer = Trainer.create(model, options);
    const random = createRandom(5);
    const x = f32(random.vector(steps * batch * 2, 1));
    const target = Int32Array.of(0, 2, 1, 2);
    const reference = { layers: [...classifier(mode).layers] };
    const parameters = toParameters(model.stateDict());
    const state = zeroState(reference, batch);
    const run = forward(reference, parameters, f64(x), { steps, batch }, state);
    const { loss, gradient } = crossEntropy(run.output, target);
    const { gradients } = backward(reference, parameters, run.tape, gradient, state);
    const report = trainer.trainOn(x, target);
    expect(Math.abs(report.loss - loss)).toBeLessThan(1e-6);
    // Each call is a sequence of its own.
    expect(trainer.trainOn(x, target).loss).toBe(report.loss);
    for (const [name, { data }] of trainer.gradients()) {
      requireClose('gradient', data, gradients.get(name)!.data, name);
    }
    const stepped = trainer.gradients();
    trainer.zeroGradients();
    trainer.forward(x);
    expect(trainer.backward({ target }).loss).toBe(report.loss);
    expect(trainer.gradients()).toEqual(stepped);
    expect(trainer.evaluateWindow(x, target)).toBe(report.loss);
    const ragged = { steps, lengths: [6, 0, 3, 5] };
    const { output } = model.forward(x, { ...ragged, batch });
    // The row without a step counts for nothing: 0, 2 and 3 do.
    const valid = [0, 2, 3].flatMap((b) => [...output.subarray(3 * b, 3 * b + 3)]);
    const expected = crossEntropy(Float64Array.from(valid), [0, 1, 2]).loss;
    expect(Math.abs(trainer.evaluateWindow(x, target, ragged) - expected)).toBeLessThan(1e-6);
    trainer.zeroGradients();
    expect(() => trainer.trainOn(x, new Int32Array(steps * batch))).toThrow(/length 4/);
    model.dispose();
  });

  it('class weights and values in place of classes', () => {
    const model = Model.create(engine, classifier('mean'), { seed: 1 });
    const x = f32(createRandom(2).vector(5 * 2 * 2, 1));
    const { output } = model.forward(x, { steps: 5, batch: 2 });
    const evaluate = (loss: LossChoice, target: Float32Array | Int32Array): number =>
      Trainer.create(model, { batch: 2, steps: 5, loss }).evaluateWindow(x, target);
    const single = [0, 1].map(
      (b) => crossEntropy(f64(output.subarray(3 * b, 3 * b + 3)), [2 * b]).loss,
    );
    const weighted = { type: 'cross-entropy', classWeights: [1, 5, 3] } as const;
    const mean = (single[0]! + 3 * single[1]!) / 4;
    expect(evaluate(weighted, Int32Array.of(0, 2))).toBeCloseTo(mean, 5);
    const square = output.reduce((sum, y) => sum + (y - 1) ** 2 / 6, 0);
    expect(evaluate('mse', new Float32Array(6).fill(1))).toBeCloseTo(square, 5);
    model.dispose();
  });

  it('an ignored target leaves its row out, in loss and gradient', () => {
    const [batch, steps] = [4, 5];
    const model = Model.create(engine, classifier('max'), { seed: 4 });
    const loss = { type: 'cross-entropy', ignoreIndex: -1 } as const;
    const [all, some] = [batch, 2].map((rows) =>
      Trainer.create(model, { batch: rows, steps, loss, optimizer: { type: 'sgd', lr: 0 } }),
    );
    const x = f32(createRandom(9).vector(steps * batch * 2, 1));
    const kept = new Float32Array(steps * 2 * 2);
    for (let t = 0; t < steps; t++) {
      [0, 3].forEach((b, row) => {
        kept.set(x.subarray((t * batch + b) * 2, (t * batch + b + 1) * 2), (t * 2 + row) * 2);
      });
    }
    const report = all!.trainOn(x, Int32Array.of(2, -1, -1, 1), { lengths: [5, 4, 0, 3] });
    const expected = some!.trainOn(kept, Int32Array.of(2, 1), { lengths: [5, 3] });
    expect(Math.abs(report.loss - expected.loss)).toBeLessThan(1e-6);
    for (const [name, { data }] of all!.gradients()) {
      requireClose('gradient', data, f64(some!.gradients().get(name)!.data), name);
    }
    expect(all!.trainOn(x, new Int32Array(batch).fill(-1))).toMatchObject({ loss: 0, gradNorm: 0 });
    model.dispose();
  });

  it('fit learns which of two waves a sequence is, and weighs windows by their sequences', async () => {
    const model = Model.create(engine, classifier('last'), { seed: 2 });
    const [batch, steps] = [8, 12];
    const trainer = Trainer.create(model, {
      batch,
      steps,
      loss: 'cross-entropy',
      optimizer: { type: 'adam', lr: 0.02 },
    });
    const random = createRandom(4);
    const windows = Array.from({ length: 6 }, (_, w) => {
      const length = w % 2 ? steps : 5;
      const targets = Int32Array.from({ length: batch }, () => random.integer(0, 1));
      const inputs = Float32Array.from({ length: length * batch * 2 }, (_, k) => {
        const [t, b] = [Math.floor(k / (2 * batch)), Math.floor(k / 2) % batch];
        return k % 2 ? random.around(0.1) : Math.sin(t * (targets[b] ? 0.5 : 1.5));
      });
      return { inputs, targets, steps: length };
    });
    const data = { length: 6, window: (index: number) => windows[index]! };
    const before = trainer.evaluate(data).loss;
    for await (const { targetCount } of trainer.fit(data, { epochs: 30 }))
      expect(targetCount).toBe(batch);
    expect(trainer.evaluate(data).loss).toBeLessThan(before / 5);
    const mean = windows.reduce((sum, w) => {
      return sum + trainer.evaluateWindow(w.inputs, w.targets, { steps: w.steps }) / 6;
    }, 0);
    expect(trainer.evaluate(data).loss).toBeCloseTo(mean, 6);
    model.dispose();
  });

  it('a stream of mode last gives the head at every step', () => {
    const model = Model.create(engine, classifier('last'), { seed: 8 });
    const x = f32(createRandom(6).vector(40 * 2, 1));
    const out = new Float32Array(40 * 3);
    model.stream().run(x, out, 40);
    for (let t = 1; t <= 40; t++) {
      const { output } = model.forward(x.subarray(0, 2 * t), { steps: t });
      expect(out.subarray(3 * (t - 1), 3 * t), `step ${t}`).toEqual(output);
    }
    model.dispose();
  });

  it('refuses what cannot be pooled, with the fix', () => {
    const lstm = { type: 'lstm', inputSize: 2, hiddenSize: 3 } as const;
    const pool = { type: 'pool', mode: 'mean' } as const;
    const create = (...layers: LayerSpec[]) => Model.create(engine, { layers });
    expect(() => create(pool, lstm)).toThrow(/needs a layer before/);
    expect(() => create(lstm, pool, { type: 'gru', hiddenSize: 2 })).toThrow(/row by row/);
    expect(() => create(lstm, pool, pool)).toThrow(/row by row/);
    expect(() => create(lstm, { ...pool, inputSize: 4 })).toThrow(/expected 3/);
    expect(() => create(lstm, { type: 'pool' } as LayerSpec)).toThrow(/'last' or 'mean' or 'max'/);
    const model = create(lstm, pool);
    expect(() => model.stream()).toThrow(/mean or max/);
    const bptt = { back: 4, every: 2 };
    expect(() => Trainer.create(model, { batch: 1, steps: 4, bptt })).toThrow(GatefoldError);
    model.dispose();
  });

  it('rows without a step all: zeros, and of them the head', () => {
    const model = Model.create(engine, classifier('max'), { seed: 8 });
    const x = new Float32Array(2 * 3 * 2);
    const { output, state } = model.forward(x, { steps: 3, batch: 2, lengths: [0, 0] });
    const bias = model.stateDict().get('linear.bias')!.data;
    expect([...output]).toEqual([...bias, ...bias]);
    expect(state.gru!.h.every((h) => h === 0)).toBe(true);
    model.dispose();
  });

  it('trains an encoder and a decoder as one: the gradient flows through the state', () => {
    const [batch, steps, out] = [3, 5, 4];
    const encoderLayers = {
      layers: [{ type: 'lstm', inputSize: 2, hiddenSize: 6, numLayers: 2 }],
    } as const;
    const decoderLayers = {
      layers: [
        { type: 'embedding', numEmbeddings: out, embeddingDim: 3 },
        { type: 'lstm', hiddenSize: 6, numLayers: 2 },
        { type: 'linear', outFeatures: out },
      ],
    } as const;
    const random = createRandom(12);
    const create = (description: ModelDescription, seed: number): Model =>
      Model.create(engine, description, { seed });
    const [encoder, decoder] = [create(encoderLayers, 1), create(decoderLayers, 2)];
    const optimizer = { type: 'sgd', lr: 0.3 } as const;
    const enc = Trainer.create(encoder, { batch, steps, optimizer });
    const dec = Trainer.create(decoder, { batch, steps: 3, optimizer, loss: 'cross-entropy' });
    const x = f32(random.vector(steps * batch * 2, 1));
    const y = Int32Array.from({ length: 3 * batch }, () => random.integer(0, out - 1));
    const target = Int32Array.from({ length: 3 * batch }, () => random.integer(0, out - 1));
    const encParameters = toParameters(encoder.stateDict());
    const decParameters = toParameters(decoder.stateDict());
    const losses: number[] = [];
    for (let update = 0; update < 10; update++) {
      enc.zeroGradients();
      dec.zeroGradients();
      const { state } = enc.forward(x);
      dec.forward(y, { state });
      const back = dec.backward({ target });
      enc.backward({ state: back.state });

      const zero = zeroState(encoderLayers, batch);
      const first = forward(encoderLayers, encParameters, f64(x), { steps, batch }, zero);
      const second = forward(
        decoderLayers,
        decParameters,
        f64(y),
        { steps: 3, batch },
        first.state,
      );
      const { loss, gradient } = crossEntropy(second.output, target);
      const decBack = backward(decoderLayers, decParameters, second.tape, gradient, zero);
      const silent = new Float64Array(first.output.length);
      const encBack = backward(encoderLayers, encParameters, first.tape, silent, decBack.state);
      expect(Math.abs(back.loss! - loss), `loss ${update}`).toBeLessThan(1e-5);
      losses.push(back.loss!);
      for (const [trainer, parameters, gradients] of [
        [enc, encParameters, encBack.gradients],
        [dec, decParameters, decBack.gradients],
      ] as const) {
        for (const [name, { data }] of trainer.gradients()) {
          requireClose('gradient', data, gradients.get(name)!.data, `${name}, update ${update}`);
        }
        trainer.update();
        for (const [name, { data }] of parameters) {
          data.forEach((value, k) => (data[k] = value - 0.3 * gradients.get(name)!.data[k]!));
        }
      }
    }
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.05);
    expect(() => enc.backward({ target })).toThrow(GatefoldError);
    encoder.dispose();
    decoder.dispose();
  });

  it('backward adds the gradient of the outputs to that of the loss', () => {
    const model = Model.create(engine, classifier('last'), { seed: 3 });
    const trainer = Trainer.create(model, { batch: 2, steps: 4, loss: 'mse' });
    const random = createRandom(7);
    const x = f32(random.vector(4 * 2 * 2, 1));
    const target = f32(random.vector(6, 1));
    const output = f32(random.vector(6, 1));
    const lengths = [2, 4];
    const run = (given: Parameters<Trainer['backward']>[0]): Float32Array => {
      trainer.forward(x, { lengths });
      return trainer.backward(given).input!;
    };
    const [a, b, sum] = [run({ target }), run({ output }), run({ target, output })];
    sum.forEach((value, k) => expect(Math.abs(value - a[k]! - b[k]!)).toBeLessThan(1e-6));
    model.dispose();
  });
});
