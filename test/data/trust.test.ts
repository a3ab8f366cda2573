/** Data of odd kinds: converted where that loses nothing that anybody asked for, or refused. */
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { GatefoldError } from '../../src/hosts/default.ts';
import {
  Normalizer,
  SequenceBuckets,
  SeriesWindows,
  TextBatches,
  Vocabulary,
  splitSeries,
} from '../../src/data/index.ts';

/** The same numbers as arrays of other kinds, and of another realm. */
function kindsOf(numbers: readonly number[]): ArrayLike<number>[] {
  const foreign = vm.runInNewContext('Float32Array.from(numbers)', { numbers }) as Float32Array;
  const integers = numbers.every(Number.isInteger) ? [Int16Array.from(numbers)] : [];
  return [numbers, Float64Array.from(numbers), foreign, ...integers];
}

describe('a normalizer', () => {
  it('leaves what never changes at its scale', () => {
    for (const [value, count] of [
      [0.1, 1000],
      [1e30, 77],
      [-3, 5],
      [1e-40, 10],
    ] as const) {
      const rows = new Float32Array(count).fill(value);
      const { mean, deviation, ...own } = Normalizer.fit(rows);
      expect(own).toEqual({});
      expect([mean, deviation]).toEqual([[rows[0]], [1]]);
      expect(Normalizer.fit(rows).apply(rows)).toEqual(new Float32Array(count));
    }
    expect(Normalizer.fit(new Float32Array(1000).fill(0.1)).apply([0.11])[0]).toBeCloseTo(0.01, 7);
  });

  it('measures what changes by one last place', () => {
    const rows = Float32Array.from({ length: 1000 }, (_, i) => (i % 2 ? 1000 : 1000 + 2 ** -14));
    const normalizer = Normalizer.fit(rows);
    expect(normalizer.deviation[0]! / 2 ** -15).toBeCloseTo(1, 6);
    expect([...normalizer.apply(rows).subarray(0, 2)]).toEqual([1, -1]);
  });

  it('refuses what is not finite, and goes through JSON', () => {
    for (const wrong of [NaN, Infinity, -Infinity]) {
      expect(() => Normalizer.fit([1, 2, 3, wrong], 2)).toThrow(/finite numbers, got .* in row 1/);
    }
    expect(() => Normalizer.fit([])).toThrow(/one or more rows/);
    expect(() => Normalizer.fit([1, 2, 3], 2)).toThrow(/rows of 2 features, got length 3/);
    const normalizer = Normalizer.fit([1, 2, 3, 2], 2);
    const again = new Normalizer(JSON.parse(JSON.stringify(normalizer)) as Normalizer);
    expect(again).toEqual(normalizer);
    for (const values of [
      { mean: [NaN], deviation: [1] },
      { mean: [null as unknown as number], deviation: [1] },
      { mean: [0], deviation: [0] },
      { mean: [0], deviation: [NaN] },
      { mean: [0], deviation: [-1] },
    ]) {
      expect(() => new Normalizer(values)).toThrow(GatefoldError);
    }
    expect(() => normalizer.apply([1, 2, 3])).toThrow(/rows of 2 features/);
    expect(() => normalizer.undo([1, 2], [])).toThrow(/"columns.length"/);
  });
});

describe('numbers', () => {
  it('of any list and realm are those of the usual arrays', () => {
    const numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    const [series, tokens] = [Float32Array.from(numbers), Int32Array.from(numbers)];
    const over = { batch: 2, steps: 3 };
    const windows = new SeriesWindows(series, over).window(0);
    const text = new TextBatches(tokens, over).window(0);
    const split = splitSeries(series, { steps: 2, training: 0.4 });
    const buckets = new SequenceBuckets([{ input: tokens, target: 1 }], { batch: 1 }).window(0);
    for (const given of kindsOf(numbers)) {
      expect(new SeriesWindows(given, over).window(0)).toEqual(windows);
      expect(new TextBatches(given, over).window(0)).toEqual(text);
      const { validation } = splitSeries(given, { steps: 2, training: 0.4 });
      expect([...validation]).toEqual([...split.validation]);
      const own = new SequenceBuckets([{ input: given, target: 1 }], { batch: 1 }).window(0);
      expect([...own.inputs]).toEqual([...buckets.inputs]);
      expect([...Normalizer.fit(series).apply(given)]).toEqual([
        ...Normalizer.fit(series).apply(series),
      ]);
    }
  });

  it('that are none are refused by name, at construction', () => {
    const over = { batch: 1, steps: 1 };
    const wrong = [
      '1234',
      null,
      undefined,
      {},
      [1, 'a', 3],
      [1, undefined, 3],
      [[1], [2]],
      [1, null],
    ];
    for (const given of wrong as unknown as number[][]) {
      expect(() => new SeriesWindows(given, over)).toThrow(/"series/);
      expect(() => new TextBatches(given, over)).toThrow(/"tokens/);
      expect(() => Normalizer.fit(given)).toThrow(/"rows/);
      const sequences = [{ input: given, target: 1 }];
      expect(() => new SequenceBuckets(sequences, { batch: 1 })).toThrow(/"sequences\[0\]/);
      const targets = [{ input: [1], target: given }];
      if (!given) continue;
      expect(() => new SequenceBuckets(targets, { batch: 1 })).toThrow(/"sequences\[0\].target/);
    }
    expect(() => new TextBatches([1, 2.5, 3], over)).toThrow(
      /"tokens\[1\]" .* whole number, got 2.5/,
    );
    expect(() => new TextBatches([1, 2 ** 31, 3], over)).toThrow(/"tokens\[1\]"/);
    for (const batch of [NaN, '2', 1.5, 0, Infinity] as number[]) {
      expect(() => new TextBatches([1, 2, 3], { batch, steps: 1 })).toThrow(/"batch"/);
      expect(() => new SeriesWindows([1, 2, 3], { batch: 1, steps: batch })).toThrow(/"steps"/);
      expect(() => new SequenceBuckets([{ input: [1], target: 1 }], { batch })).toThrow(/"batch"/);
    }
    const misspelt = { batch: 1, steps: 1, stpes: 1 };
    expect(() => new TextBatches([1, 2, 3], misspelt)).toThrow(/no option "stpes"/);
  });
});

describe('a vocabulary', () => {
  it('is of whole characters', () => {
    const cut = 'café 😀'.slice(0, 6);
    expect(() => Vocabulary.of(cut)).toThrow(/half of one, '\\ud83d'/);
    expect(() => new Vocabulary(cut)).toThrow(/cut texts between characters/);
    expect(Vocabulary.of('café 😀').size).toBe(7);
  });
});
