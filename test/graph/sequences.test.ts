/**
 * Rows of differing lengths, layers that read backwards or both ways, and their combinations,
 * against every row alone in float64.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer } from '../../src/hosts/default.ts';
import type { LayerState } from '../../src/base/tensor.ts';
import { zerosLike, type Parameters } from '../reference/network.ts';
import { cellForms } from '../support/cells.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom, type Random } from '../support/random.ts';
import { directionsOf, layerSpec, runRow, type RowLayer, type RowStates } from '../support/rows.ts';

/** As test/ops/property.test.ts: outputs relative to the largest, gradients relative by norm. */
const FORWARD = 2e-6;
const GRADIENT = 1e-4;
const CASES = 6;
const f32 = (x: Float64Array): Float32Array => Float32Array.from(x);
const f64 = (x: ArrayLike<number>): Float64Array => Float64Array.from(x);
const worst = { forward: 0, gradient: 0, cases: 0 };

function requireClose(got: Float32Array, want: Float64Array, label: string): void {
  expect(got.length, label).toBe(want.length);
  // A relu puts out sums of terms of the order of one; where those nearly cancel, the largest
  // output is no measure of them.
  const scale = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0.1);
  const error = want.reduce((most, x, k) => Math.max(most, Math.abs(x - got[k]!)), 0) / scale;
  worst.forward = Math.max(worst.forward, error);
  expect(error, label).toBeLessThanOrEqual(FORWARD);
}

function requireCloseGradient(got: Float32Array, want: Float64Array, label: string): void {
  expect(got.length, label).toBe(want.length);
  const norm = (x: Float64Array): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
  // Sums of terms of the order of one that nearly cancel have no relative accuracy: the floor is
  // one such term.
  const error = norm(want.map((x, k) => x - got[k]!)) / Math.max(norm(want), 1e-2);
  worst.gradient = Math.max(worst.gradient, error);
  expect(error, label).toBeLessThanOrEqual(GRADIENT);
}

/** Numbers of one row at one step, in a [T, B, width] or [B, T, width] array. */
const at = (t: number, b: number, steps: number, batch: number, batchFirst: boolean): number =>
  batchFirst ? b * steps + t : t * batch + b;

function rowOf(
  x: ArrayLike<number>,
  length: number,
  width: number,
  place: (t: number) => number,
): Float64Array {
  return Float64Array.from(
    { length: length * width },
    (_, k) => x[place(Math.floor(k / width)) * width + (k % width)]!,
  );
}

function rowStates(state: LayerState, b: number, batch: number, size: number): RowStates {
  const places = state.h.length / (batch * size);
  const cut = (all: Float32Array | undefined, place: number): Float64Array =>
    f64(all?.subarray((place * batch + b) * size, (place * batch + b + 1) * size) ?? []);
  return Array.from({ length: places }, (_, place) => ({
    h: cut(state.h, place),
    c: cut(state.c, place),
  }));
}

function randomState(random: Random, layer: RowLayer, batch: number): LayerState {
  const length = layer.numLayers * directionsOf(layer).length * batch * layer.hiddenSize;
  const h = f32(random.vector(length, 1));
  return layer.form.type === 'lstm' ? { h, c: f32(random.vector(length, 1)) } : { h };
}

function randomLengths(random: Random, batch: number, steps: number): Int32Array {
  const lengths = Int32Array.from({ length: batch }, () => random.integer(0, steps));
  lengths[random.integer(0, batch - 1)] = random.integer(1, steps);
  return lengths;
}

describe.each(variants)('rows of a batch, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => {
    engine.dispose();
    console.log(
      `${worst.cases} batches; worst forward error ${worst.forward.toExponential(2)}, gradient ${worst.gradient.toExponential(2)}`,
    );
  });

  function check(layer: RowLayer, seed: number, padding: 'zero' | 'repeat'): void {
    const random = createRandom(seed);
    const [steps, batch, batchFirst] = [
      random.integer(1, 12),
      random.integer(1, 6),
      random.unit() < 0.5,
    ];
    const lengths =
      seed % 4 ? randomLengths(random, batch, steps) : new Int32Array(batch).fill(steps);
    const model = Model.create(engine, { layers: [layerSpec(layer)] }, { seed });
    const trainer = Trainer.create(model, { batch, steps });
    const name = layer.form.type;
    const { inputSize, outputSize } = model;
    const x = f32(random.vector(steps * batch * inputSize, 1));
    const state = { [name]: randomState(random, layer, batch) };
    const dOutput = f32(random.vector(steps * batch * outputSize, 1));
    const dLast = { [name]: randomState(random, layer, batch) };
    const options = { steps, batchFirst, state, lengths, padding };
    const got = trainer.forward(x, options);
    const back = trainer.backward({ output: dOutput, state: dLast });

    const inferred = model.forward(x, { ...options, batch });
    expect(inferred.output, 'model.forward').toEqual(got.output);
    expect(inferred.state, 'model.forward').toEqual(got.state);

    const parameters: Parameters = new Map(
      [...model.stateDict()].map(([key, { shape, data }]) => [key, { shape, data: f64(data) }]),
    );
    const gradients = zerosLike(parameters);
    const width = outputSize;
    const [output, input] = [new Float64Array(dOutput.length), new Float64Array(x.length)];
    const last = { h: f64(state[name]!.h), c: f64(state[name]!.c ?? []) };
    const initial = { h: f64(dLast[name]!.h), c: f64(dLast[name]!.c ?? []) };
    lengths.forEach((length, b) => {
      if (length === 0) return;
      const place = (t: number): number => at(t, b, steps, batch, batchFirst);
      const row = rowOf(x, length, inputSize, place);
      const result = runRow(
        layer,
        parameters,
        row,
        rowStates(state[name]!, b, batch, layer.hiddenSize),
      );
      const dRow = rowOf(dOutput, length, width, place);
      for (let t = 0; t < steps; t++) {
        const from = Math.min(t, length - 1) * width;
        if (t >= length && padding === 'zero') continue;
        output.set(result.output.subarray(from, from + width), place(t) * width);
        if (t < length) continue;
        for (let k = 0; k < width; k++) dRow[from + k]! += dOutput[place(t) * width + k]!;
      }
      const rowBack = result.backward(
        dRow,
        rowStates(dLast[name]!, b, batch, layer.hiddenSize),
        gradients,
      );
      for (let t = 0; t < length; t++) {
        input.set(rowBack.input.subarray(t * inputSize, (t + 1) * inputSize), place(t) * inputSize);
      }
      const put = (to: { h: Float64Array; c: Float64Array }, from: RowStates): void =>
        from.forEach(({ h, c }, index) => {
          to.h.set(h, (index * batch + b) * layer.hiddenSize);
          if (to.c.length) to.c.set(c, (index * batch + b) * layer.hiddenSize);
        });
      put(last, result.last);
      put(initial, rowBack.initial);
    });
    const label = `seed ${seed}, T ${steps}, lengths ${lengths.join()}, ${JSON.stringify(layer)}`;
    requireClose(got.output, output, `output, ${label}`);
    requireClose(got.state[name]!.h, last.h, `last h, ${label}`);
    if (last.c.length) requireClose(got.state[name]!.c!, last.c, `last c, ${label}`);
    requireCloseGradient(back.input!, input, `gradient of x, ${label}`);
    requireCloseGradient(back.state[name]!.h, initial.h, `gradient of initial h, ${label}`);
    if (initial.c.length)
      requireCloseGradient(back.state[name]!.c!, initial.c, `gradient of initial c, ${label}`);
    for (const [key, { data }] of trainer.gradients()) {
      requireCloseGradient(data, gradients.get(key)!.data, `gradient of ${key}, ${label}`);
    }
    worst.cases++;
    trainer.dispose();
    model.dispose();
  }

  const directions = ['forward', 'backward', 'both'] as const;
  const merges = ['concat', 'sum', 'mul', 'ave'] as const;
  describe.each(Object.entries(cellForms))('%s', (_, form) => {
    it.each(directions)('reading %s', (direction) => {
      for (let k = 0; k < CASES; k++) {
        const random = createRandom(1000 * k + direction.length);
        const hiddenSize = random.integer(1, 21);
        const merge = direction === 'both' ? merges[k % 4]! : 'concat';
        const sizes = { inputSize: random.integer(1, 9), hiddenSize, numLayers: 1 + (k % 2) };
        check({ form, ...sizes, direction, merge }, k, k % 3 ? 'zero' : 'repeat');
      }
    });
  });

  it('a training step over rows of differing lengths is the mean over their valid steps', () => {
    const layers = [
      { type: 'gru', inputSize: 3, hiddenSize: 8, bidirectional: true },
      { type: 'linear', outFeatures: 5 },
    ] as const;
    const create = (): Model => Model.create(engine, { layers }, { seed: 4 });
    const random = createRandom(9);
    const [steps, batch] = [6, 3];
    const x = f32(random.vector(steps * batch * 3, 1));
    const target = Int32Array.from({ length: steps * batch }, () => random.integer(0, 4));
    const lengths = [2, 6, 0];
    const ragged = Trainer.create(create(), { batch, steps, loss: 'cross-entropy' });
    const loss = ragged.evaluateWindow(x, target, { lengths });
    let sum = 0;
    for (const [b, length] of lengths.entries()) {
      if (!length) continue;
      const single = Trainer.create(create(), { batch: 1, steps: length, loss: 'cross-entropy' });
      const pick = <A extends Float32Array | Int32Array>(all: A, width: number): A =>
        all.filter(
          (_, k) => Math.floor(k / width) % batch === b && k < length * batch * width,
        ) as A;
      sum += length * single.evaluateWindow(pick(x, 3), pick(target, 1));
      single.dispose();
    }
    expect(Math.abs(loss - sum / 8)).toBeLessThan(1e-6);
  });

  it('refuses lengths and directions that cannot be, with the fix', () => {
    const spec = { type: 'lstm', inputSize: 2, hiddenSize: 3 } as const;
    const model = Model.create(engine, { layers: [spec] });
    const x = new Float32Array(2 * 4 * 2);
    const run = (lengths: ArrayLike<number>) => () =>
      model.forward(x, { steps: 4, batch: 2, lengths });
    for (const lengths of [[1], [1, 5], [-1, 2], [1.5, 2], [NaN, 1], [-(2 ** 31), 0]]) {
      expect(run(lengths), String(lengths)).toThrow(GatefoldError);
    }
    const both = { layers: [{ ...spec, bidirectional: true }] };
    expect(() => Model.create(engine, both).stream()).toThrow(/backwards/);
    const twice = { layers: [{ ...spec, bidirectional: true, direction: 'backward' }] } as const;
    expect(() => Model.create(engine, twice)).toThrow(/direction/);
    expect(run([0, 0])().output.every((value) => value === 0)).toBe(true);
  });
});
