import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SequenceBuckets, splitSequences, type LabelledSequence } from '../../src/data/index.ts';
import { shuffled } from '../../src/data/shuffle.ts';
import { Model, Trainer } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

type Kind = 'class' | 'labels' | 'numbers' | 'step labels' | 'step numbers';
const WIDTH = 2;

/** Sequences in which every number says whose it is. */
function numbered(lengths: readonly number[], features: number, kind: Kind): LabelledSequence[] {
  return lengths.map((length, i) => {
    const fill = (count: number) => ({ length: count });
    const value = (_: unknown, k: number): number => 1000 * (i + 1) + k;
    const labels = (count: number): Int32Array => Int32Array.from(fill(count), value);
    const numbers = (count: number): Float32Array => Float32Array.from(fill(count), value);
    const targets: Record<Kind, LabelledSequence['target']> = {
      class: i,
      labels: labels(i % 4),
      numbers: numbers(WIDTH),
      'step labels': labels(length),
      'step numbers': numbers(length * WIDTH),
    };
    return { input: numbers(length * features), target: targets[kind] };
  });
}

/** The sequences that a batch holds, taken apart again. */
function unbatch(data: SequenceBuckets, features: number, kind: Kind, at: number, epoch?: number) {
  const { inputs, targets, steps, lengths, targetLengths, count } = data.window(at, epoch);
  const { batch } = data;
  const column = (of: ArrayLike<number>, row: number, width: number, length: number): number[] =>
    Array.from({ length: length * width }, (_, i) => {
      const t = Math.floor(i / width);
      return of[(t * batch + row) * width + (i % width)]!;
    });
  const labels = targets.length / batch;
  const targetOf = (row: number, length: number): number[] => {
    if (kind === 'step labels') return column(targets, row, 1, length);
    if (kind === 'step numbers') return column(targets, row, WIDTH, length);
    const size = targetLengths ? targetLengths[row]! : labels;
    return [...targets.subarray(row * labels, row * labels + size)];
  };
  expect(inputs.length).toBe(steps * batch * features);
  expect(Math.max(...lengths)).toBe(steps);
  const rows = [...lengths.entries()].filter(([, length]) => length > 0);
  const valid = rows.reduce((sum, [, length]) => sum + length, 0);
  expect(count).toBe(kind.startsWith('step') ? valid : rows.length);
  expect([...inputs].filter((x) => x !== 0).length).toBe(valid * features);
  return rows.map(([row, length]) => ({
    input: column(inputs, row, features, length),
    target: targetOf(row, length),
  }));
}

const cases = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 60 }),
  features: fc.integer({ min: 1, max: 3 }),
  batch: fc.integer({ min: 1, max: 9 }),
  pool: fc.integer({ min: 1, max: 4 }),
  seed: fc.integer({ min: 0, max: 2 ** 50 }),
  epoch: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
});

describe('SequenceBuckets', () => {
  it.each<Kind>(['class', 'labels', 'numbers', 'step labels', 'step numbers'])(
    'gives every sequence once in a pass, whole, with its %s',
    (kind) => {
      fc.assert(
        fc.property(cases, ({ lengths, features, batch, pool, seed, epoch }) => {
          const sequences = numbered(lengths, features, kind);
          const per = kind.startsWith('step') ? 'step' : 'sequence';
          const data = new SequenceBuckets(sequences, { features, batch, pool, seed, per });
          expect(data.length).toBe(Math.ceil(lengths.length / batch));
          expect(data.steps).toBe(Math.max(...lengths));
          const found = Array.from({ length: data.length }, (_, at) =>
            unbatch(data, features, kind, at, epoch),
          ).flat();
          const plain = sequences.map(({ input, target }) => ({
            input: Array.from(input),
            target: [target].flatMap((t) => (typeof t === 'number' ? t : Array.from(t))),
          }));
          const byFirst = (a: { input: number[] }, b: { input: number[] }): number =>
            a.input[0]! - b.input[0]!;
          expect(found.sort(byFirst)).toEqual(plain);
        }),
        { numRuns: 40 },
      );
    },
  );

  const random = createRandom(5);
  const lengths = Array.from({ length: 1000 }, () => random.integer(1, 100));
  const tokens = lengths.map((length, i) => ({ input: new Int32Array(length).fill(i), target: 0 }));
  const first = (data: SequenceBuckets, epoch?: number): number[] =>
    Array.from({ length: data.length }, (_, at) => {
      const { inputs, lengths: own } = data.window(at, epoch);
      return [...inputs.subarray(0, own.filter((n) => n > 0).length)];
    }).flat();

  it('orders by seed and pass alone', () => {
    const order = (seed: number, epoch?: number): string =>
      first(new SequenceBuckets(tokens, { batch: 32, seed }), epoch).join();
    expect(order(1, 0)).toBe(order(1, 0));
    expect(new Set([order(1, 0), order(1, 1), order(2, 0), order(1)]).size).toBe(4);
  });

  it('mixes batches anew in every pass', () => {
    const data = new SequenceBuckets(tokens, { batch: 10, pool: 10 });
    const together = (epoch: number): Set<string> => {
      const order = first(data, epoch);
      const pairs = new Set<string>();
      for (let i = 0; i < order.length; i += 10) {
        const batch = order.slice(i, i + 10).sort((a, b) => a - b);
        for (const a of batch) for (const b of batch) if (a < b) pairs.add(`${a} ${b}`);
      }
      return pairs;
    };
    const before = together(0);
    const again = [...together(1)].filter((pair) => before.has(pair));
    // Of 4,500 pairs, about 45 x 10 % stay together where pools hold a tenth of all.
    expect(again.length).toBeLessThan(900);
  });

  it('pads far less than batches drawn at random', () => {
    const padding = (order: number[], batch: number): number => {
      let padded = 0;
      for (let i = 0; i < order.length; i += batch) {
        const own = order.slice(i, i + batch).map((sequence) => lengths[sequence]!);
        padded += Math.max(...own) * own.length;
      }
      return padded / lengths.reduce((sum, length) => sum + length, 0) - 1;
    };
    const data = new SequenceBuckets(tokens, { batch: 20 });
    const steps = Array.from({ length: data.length }, (_, at) => data.window(at, 3).steps * 20);
    const bucketed = steps.reduce((sum, n) => sum + n, 0) / lengths.reduce((sum, n) => sum + n) - 1;
    const drawn = padding([...shuffled(1000, 3, 3, 0)], 20);
    expect(drawn).toBeGreaterThan(0.7);
    expect(bucketed).toBeLessThan(0.12);
  });

  it('a batch with fewer sequences trains like a smaller batch', () => {
    const engine = createEngine('baseline');
    const layers = [
      { type: 'embedding', numEmbeddings: 9, embeddingDim: 3 },
      { type: 'gru', hiddenSize: 4 },
      { type: 'linear', outFeatures: 5 },
    ] as const;
    const losses = [1, 4].map((batch) => {
      const sequence = { input: Int32Array.of(1, 8, 3), target: Int32Array.of(0, 4, 2) };
      const data = new SequenceBuckets([sequence], { batch, per: 'step' });
      const model = Model.create(engine, { layers }, { seed: 2 });
      const trainer = Trainer.create(model, { batch, steps: 3, loss: 'cross-entropy' });
      const { inputs, targets, steps, lengths: own } = data.window(0);
      const { loss, gradNorm } = trainer.trainOn(inputs, targets, { steps, lengths: own });
      return [loss, gradNorm];
    });
    expect(losses[1]![0]).toBeCloseTo(losses[0]![0]!, 6);
    expect(losses[1]![1]).toBeCloseTo(losses[0]![1]!, 6);
  });

  const one = { input: new Float32Array(4), target: 1 };
  it.each<[LabelledSequence[], object, RegExp]>([
    [[], {}, /sequences.length/],
    [[one, { ...one, input: new Float32Array(0) }], {}, /sequences\[1\].input/],
    [[one, { ...one, input: new Float32Array(3) }], { features: 2 }, /of 2 features/],
    [[one, { ...one, input: new Int32Array(4) }], {}, /expected Float32Array/],
    [[one, { ...one, target: Int32Array.of(1) }], {}, /sequences\[1\].target/],
    [[{ ...one, target: Int32Array.of(1) }, one], {}, /sequences\[1\].target/],
    [[{ ...one, target: Int32Array.of(1, 2, 3) }], { per: 'step' }, /sequences\[0\].target/],
    [[one], { bucket: 3 }, /no option "bucket"/],
  ])('refuses sequences that do not fit, case %#', (sequences, options, message) => {
    expect(() => new SequenceBuckets(sequences, { batch: 2, ...options })).toThrow(message);
  });
});

describe('shuffled', () => {
  it('is the same in every host', () => {
    // From a Philox of its own, in Python, whose whole numbers have no end.
    expect([...shuffled(10, 1, 0, 0)]).toEqual([2, 3, 5, 4, 1, 9, 0, 6, 8, 7]);
    expect([...shuffled(10, 2 ** 40, 3, 1)]).toEqual([5, 8, 6, 4, 0, 2, 7, 1, 9, 3]);
  });

  it('puts every item at every place equally often', () => {
    const count = 6;
    const runs = 6000;
    const seen = Array.from({ length: count * count }, () => 0);
    for (let epoch = 0; epoch < runs; epoch++) {
      shuffled(count, 9, epoch, 0).forEach((item, place) => seen[item * count + place]!++);
    }
    const expected = runs / count;
    const chiSquare = seen.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 25 degrees of freedom: 52.6 is passed once in a thousand.
    expect(chiSquare).toBeLessThan(52.6);
  });
});

describe('splitSequences', () => {
  const speakers = ['a', 'b', 'c', 'd', 'e'];
  const takes = Array.from({ length: 100 }, (_, i) => ({ id: i, speaker: speakers[i % 5]! }));
  const ids = (part: { id: number }[]): number[] => part.map(({ id }) => id);

  it('puts each sequence on one side, by the seed', () => {
    const { training, validation } = splitSequences(takes, { training: 0.9, seed: 4 });
    expect(training.length).toBe(90);
    expect([...ids(training), ...ids(validation)].sort((a, b) => a - b)).toEqual(ids(takes));
    const again = splitSequences(takes, { training: 0.9, seed: 4 });
    expect(ids(again.validation)).toEqual(ids(validation));
    const other = splitSequences(takes, { training: 0.9, seed: 5 });
    expect(ids(other.validation)).not.toEqual(ids(validation));
  });

  it('never parts a group', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 50 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 1000 }),
        (groups, training, seed) => {
          const split = splitSequences(groups, { training, seed, group: (own) => own });
          const known = new Set(split.training);
          expect(split.validation.filter((own) => known.has(own))).toEqual([]);
          expect(split.training.length + split.validation.length).toBe(groups.length);
          const sizes = groups.map((own) => groups.filter((other) => other === own).length);
          const miss = Math.abs(split.training.length - training * groups.length);
          expect(miss).toBeLessThanOrEqual(Math.max(...sizes) / 2 + 1e-9);
        },
      ),
    );
  });
});
