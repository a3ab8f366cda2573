import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Normalizer,
  SeriesWindows,
  splitSeries,
  type SeriesOptions,
} from '../../src/data/index.ts';
import { Model, Trainer } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';

/** Every number says which step and feature it is of; none is 0, as padding is. */
const numbered = (steps: number, features: number): Float32Array =>
  Float32Array.from({ length: steps * features }, (_, i) => i + 1);

const shapes = fc
  .record({
    length: fc.integer({ min: 30, max: 120 }),
    features: fc.integer({ min: 1, max: 3 }),
    batch: fc.integer({ min: 1, max: 5 }),
    steps: fc.integer({ min: 1, max: 12 }),
    horizon: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 3 }),
    order: fc.constantFrom('contiguous', 'shuffled'),
    last: fc.boolean(),
    seed: fc.integer({ min: 0, max: 2 ** 40 }),
  })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      targets: fc.subarray([...Array(shape.features).keys()], { minLength: 1 }),
    }),
  );

/**
 * The input steps of each row of each batch of a pass, checked number by number against the series.
 */
function walk(series: Float32Array, options: SeriesOptions, epoch?: number): number[][][] {
  const { features = 1, horizon = 1, last = false, targets: columns = [0] } = options;
  const horizons = [horizon].flat() as number[];
  const data = new SeriesWindows(series, options);
  return Array.from({ length: data.length }, (_, index) => {
    const { inputs, targets, steps, lengths } = data.window(index, epoch);
    expect(inputs.length).toBe(steps * options.batch * features);
    expect(targets.length).toBe((last ? 1 : steps) * options.batch * data.targetSize);
    const used = new Set<number>();
    const rows = Array.from({ length: options.batch }, (__, row) => {
      const length = lengths ? lengths[row]! : steps;
      return Array.from({ length }, (___, t) => {
        const place = t * options.batch + row;
        const step = Math.floor((inputs[place * features]! - 1) / features);
        for (let f = 0; f < features; f++) {
          expect(inputs[place * features + f]).toBe(series[step * features + f]);
          used.add(place);
        }
        if (last && t < length - 1) return step;
        const wanted = horizons.flatMap((ahead) =>
          columns.map((column) => series[(step + ahead) * features + column]!),
        );
        const from = (last ? row : place) * data.targetSize;
        expect([...targets.subarray(from, from + data.targetSize)]).toEqual(wanted);
        return step;
      });
    });
    const padding = [...inputs].filter((_, i) => !used.has(Math.floor(i / features)));
    expect(padding.every((value) => value === 0)).toBe(true);
    return rows;
  });
}

describe('SeriesWindows', () => {
  it('gives every step that has targets once in a pass, beside what the series is some steps later', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 3 }), ({ shape, targets }, epoch) => {
        const { length, features, batch, horizon, order } = shape;
        const { length: _, ...options } = { ...shape, targets };
        const steps = walk(numbered(length, features), options as SeriesOptions, epoch).flat(2);
        const usable = length - Math.max(...horizon);
        const count = order === 'shuffled' ? usable : Math.floor(usable / batch) * batch;
        expect(steps.sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
      }),
    );
  });

  it('contiguous windows go on where the one before ended, row by row', () => {
    const batches = walk(numbered(100, 1), { batch: 3, steps: 7 });
    for (let row = 0; row < 3; row++) {
      const steps = batches.flatMap((rows) => rows[row]!);
      expect(steps).toEqual(steps.map((_, i) => steps[0]! + i));
    }
    expect(new SeriesWindows(numbered(100, 1), { batch: 3, steps: 7 }).window(0).fresh).toBe(false);
  });

  it('shuffled windows depend on seed and pass alone', () => {
    const options: SeriesOptions = { batch: 4, steps: 5, order: 'shuffled' };
    const order = (seed: number, epoch?: number): string =>
      JSON.stringify(walk(numbered(300, 1), { ...options, seed }, epoch));
    expect(order(1, 2)).toBe(order(1, 2));
    expect(new Set([order(1, 0), order(1, 1), order(2, 0), order(1)]).size).toBe(4);
    expect(walk(numbered(300, 1), options).flat(2)).toEqual([...Array(299).keys()]);
  });

  it('overlapping windows start a stride apart', () => {
    const options: SeriesOptions = { batch: 1, steps: 6, order: 'shuffled', stride: 2 };
    const starts = walk(numbered(20, 1), options).map(([row]) => row![0]);
    expect(starts).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
  });

  it('counts what has a target', () => {
    const options: SeriesOptions = { batch: 4, steps: 5, order: 'shuffled' };
    const counts = (last: boolean): number[] => {
      const data = new SeriesWindows(numbered(34, 1), { ...options, last });
      return [0, 1].map((index) => data.window(index).count);
    };
    expect(counts(false)).toEqual([20, 13]);
    expect(counts(true)).toEqual([4, 3]);
  });

  it.each([
    [{ batch: 1, steps: 4, features: 3 }, /multiple of 3/],
    [{ batch: 1, steps: 4, horizon: 10 }, /at least 1 steps beyond the longest horizon, got 0/],
    [{ batch: 1, steps: 4, horizon: [] }, /horizon.length/],
    [{ batch: 1, steps: 4, order: 'shuffled', stride: 5 }, /stride/],
    [{ batch: 1, steps: 4, targets: [1] }, /targets\[0\]/],
  ] as [SeriesOptions, RegExp][])('refuses %j', (options, message) => {
    expect(() => new SeriesWindows(new Float32Array(10), options)).toThrow(message);
  });

  it('teaches a model a wave, with the last batch smaller than the others', async () => {
    const wave = Float32Array.from({ length: 330 }, (_, t) => Math.sin(t / 3));
    const data = new SeriesWindows(wave, { batch: 4, steps: 20, horizon: 3, order: 'shuffled' });
    expect(data.window(data.length - 1).lengths).toBeDefined();
    const layers = [
      { type: 'gru', inputSize: 1, hiddenSize: 12 },
      { type: 'linear', outFeatures: data.targetSize },
    ] as const;
    const model = Model.create(createEngine('baseline'), { layers }, { seed: 1 });
    const optimizer = { type: 'adam', lr: 0.02 } as const;
    const trainer = Trainer.create(model, { batch: 4, steps: 20, loss: 'mse', optimizer });
    const before = trainer.evaluate(data).loss;
    for await (const _ of trainer.fit(data, { epochs: 30 }));
    expect(before).toBeGreaterThan(0.3);
    expect(trainer.evaluate(data).loss).toBeLessThan(0.05);
  });
});

/** All inputs of a pass. */
function inputsOf(series: Float32Array, options: SeriesOptions): number[] {
  const data = new SeriesWindows(series, options);
  return Array.from({ length: data.length }, (_, index) => [...data.window(index).inputs]).flat();
}

describe('splitSeries', () => {
  it('keeps every window of the future a window and a horizon away from those of the past', () => {
    const cases = fc.record({
      length: fc.integer({ min: 80, max: 300 }),
      features: fc.integer({ min: 1, max: 3 }),
      steps: fc.integer({ min: 1, max: 8 }),
      horizon: fc.integer({ min: 1, max: 8 }),
      training: fc.double({ min: 0.4, max: 0.6, noNaN: true }),
    });
    fc.assert(
      fc.property(cases, ({ length, features, steps, horizon, training }) => {
        const series = numbered(length, features);
        const options = { features, steps, horizon };
        const split = splitSeries(series, { ...options, training });
        // The numbers are those of the whole series, and so are the steps read off them.
        const walkSteps = (part: Float32Array): number[] =>
          Array.from(inputsOf(part, { ...options, batch: 1, order: 'shuffled' }), (value) =>
            Math.floor((value - 1) / features),
          );
        const past = Math.max(...walkSteps(split.training)) + horizon;
        const future = Math.min(...walkSteps(split.validation));
        expect(future - past).toBeGreaterThan(steps + horizon);
        expect(split.training.length / features).toBe(Math.floor(length * training));
        expect(split.validation.at(-1)).toBe(series.at(-1));
      }),
    );
  });

  it('refuses a smaller gap, and parts without a window', () => {
    const options = { steps: 10, horizon: [1, 24] };
    expect(() => splitSeries(new Float32Array(200), { ...options, gap: 33 })).toThrow(/gap/);
    expect(() => splitSeries(new Float32Array(120), options)).toThrow(/at least 34 steps/);
  });
});

describe('Normalizer', () => {
  const rows = Float32Array.from({ length: 60 }, (_, i) => (i % 3) * 100 + Math.cos(i * i) * 7);

  it('brings every feature to mean 0 and deviation 1, and back', () => {
    const normalizer = Normalizer.fit(rows, 3);
    const normal = normalizer.apply(rows);
    for (let f = 0; f < 3; f++) {
      const column = [...normal].filter((_, i) => i % 3 === f);
      const mean = column.reduce((sum, x) => sum + x, 0) / 20;
      const square = column.reduce((sum, x) => sum + x * x, 0) / 20;
      expect(mean).toBeCloseTo(0, 5);
      expect(square).toBeCloseTo(1, 5);
    }
    normalizer.undo(normal).forEach((value, i) => expect(value).toBeCloseTo(rows[i]!, 3));
    const last = normal.filter((_, i) => i % 3 === 2);
    normalizer
      .undo(last, [2])
      .forEach((value, i) => expect(value).toBeCloseTo(rows[i * 3 + 2]!, 3));
  });

  it('leaves the scale of a feature that never changes, and outlives JSON', () => {
    const constant = Normalizer.fit(new Float32Array(5).fill(3));
    expect([...constant.apply(Float32Array.of(3, 4))]).toEqual([0, 1]);
    const restored = new Normalizer(JSON.parse(JSON.stringify(Normalizer.fit(rows, 3))));
    expect(restored.apply(rows)).toEqual(Normalizer.fit(rows, 3).apply(rows));
  });
});
