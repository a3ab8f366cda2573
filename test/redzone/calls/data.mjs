/** What needs no engine. */

import * as problem from '../problems.mjs';
import * as wrong from '../spoil.mjs';
import { pure } from './call.mjs';

pure(
  'greedyCtc',
  0.09,
  (random) => {
    const [steps, batch, classes] = [random.from(1, 5), random.from(1, 3), random.from(2, 4)];
    const options = { steps, batch, lengths: problem.lengths(random, batch, steps), blank: 0 };
    return {
      args: [random.floats(steps * batch * classes), options],
      spots: [
        [[0], wrong.kind],
        [[1], wrong.options],
        [[1, 'lengths'], wrong.list(steps)],
        [[1, 'blank'], wrong.count(0, classes - 1)],
      ],
    };
  },
  ({ face }, ...given) => face.main.greedyCtc(...given),
);
pure(
  'labelErrorRate',
  0.09,
  (random) => ({ args: [[[...random.integers(4, 0, 3)]], [[...random.integers(3, 0, 3)]]] }),
  ({ face }, ...given) => face.main.labelErrorRate(...given),
);

pure(
  'defineLayers',
  0.09,
  (random) => ({ args: [random.pick([[], [{ type: 'pool' }]])], spots: [[[0], wrong.kind]] }),
  ({ face }, ...given) => face.main.defineLayers(...given),
);

const logits = (random) => random.floats(random.from(1, 9), 9);
for (const name of ['argmax', 'softmax']) {
  pure(
    name,
    0.09,
    (random) => ({ args: [logits(random)], spots: [[[0], wrong.kind]] }),
    ({ face }, ...given) => face.main[name](...given),
  );
}
pure(
  'topK',
  0.09,
  (random) => {
    const row = logits(random);
    return {
      args: [row, random.from(1, row.length)],
      spots: [
        [[0], wrong.kind],
        [[1], wrong.count(1, row.length)],
      ],
    };
  },
  ({ face }, ...given) => face.main.topK(...given),
);
for (const name of ['sampleToken', 'seededRandom']) {
  pure(
    name,
    0.09,
    (random) => {
      const row = logits(random);
      const options = { temperature: random.next(), topK: random.from(1, row.length) };
      return {
        args: [random.from(0, 99), row, options],
        spots: [
          [[0], wrong.count(0, Number.MAX_SAFE_INTEGER)],
          [[1], wrong.kind],
          [[2], wrong.options],
          [[2, 'temperature'], wrong.number()],
          [[2, 'topK'], wrong.count(1, row.length)],
        ],
      };
    },
    ({ face: { main } }, seed, row, options) => {
      const random = main.seededRandom(seed);
      const isPlain = options?.constructor === Object;
      return main.sampleToken(row, isPlain ? { ...options, random } : options);
    },
  );
}

const tokensOf = (random) => random.integers(random.from(20, 60), 0, 9);
for (const name of ['TextBatches', 'TextBatches.window', 'TextBatches.count']) {
  pure(
    name,
    0.09,
    (random) => ({
      args: [tokensOf(random), { batch: random.from(1, 4), steps: random.from(1, 9) }],
    }),
    ({ face }, ...given) => {
      const batches = new face.data.TextBatches(...given);
      return [batches.length, batches.count, batches.window(0)];
    },
  );
}
for (const name of [
  'Vocabulary',
  'Vocabulary.of',
  'Vocabulary.encode',
  'Vocabulary.size',
  'Vocabulary.toString',
]) {
  pure(
    name,
    0.09,
    (random) => ({ args: [random.pick(['abc', 'hello wörld', '']), 'abc🎈'] }),
    ({ face: { data } }, text, other) => {
      const vocabulary = data.Vocabulary.of(text);
      const again = new data.Vocabulary(vocabulary.toString());
      return [again.size, again.encode(other), String(again)];
    },
  );
}
pure(
  'splitByPosition',
  0.09,
  (random) => ({
    args: [
      [
        [1, 2, 3, 4],
        [5, 6],
      ],
      random.next(),
    ],
  }),
  ({ face }, ...given) => face.data.splitByPosition(...given),
);
for (const name of ['Normalizer', 'Normalizer.fit', 'Normalizer.apply', 'Normalizer.undo']) {
  pure(
    name,
    0.09,
    (random) => {
      const features = random.from(1, 4);
      return {
        args: [random.floats(features * random.from(1, 9)), features],
        spots: [[[1], wrong.count(1)]],
      };
    },
    ({ face: { data } }, rows, features) => {
      const fitted = data.Normalizer.fit(rows, features);
      const again = new data.Normalizer(JSON.parse(JSON.stringify(fitted)));
      return again.undo(again.apply(rows));
    },
  );
}
for (const name of ['SeriesWindows', 'SeriesWindows.window']) {
  pure(
    name,
    0.09,
    (random) => {
      const features = random.from(1, 3);
      const order = random.pick(['contiguous', 'shuffled']);
      const options = {
        batch: random.from(1, 3),
        steps: random.from(1, 6),
        features,
        order,
        seed: 3,
        horizon: random.pick([1, [1, 2]]),
        last: random.chance(0.3),
      };
      return {
        args: [random.floats(features * random.from(20, 40)), options],
        spots: [
          [[1], wrong.options],
          [[1, 'batch'], wrong.count(1)],
          [[1, 'features'], wrong.count(1)],
          [[1, 'order'], wrong.choice],
        ],
      };
    },
    ({ face: { data } }, ...given) => {
      const windows = new data.SeriesWindows(...given);
      return [windows.length, windows.window(0), windows.window(windows.length - 1, 1)];
    },
  );
}
for (const name of ['SequenceBuckets', 'SequenceBuckets.window']) {
  pure(
    name,
    0.09,
    (random) => {
      const sequences = Array.from({ length: random.from(1, 9) }, () => ({
        input: random.floats(2 * random.from(1, 6)),
        target: random.from(0, 3),
      }));
      return {
        args: [sequences, { batch: random.from(1, 4), features: 2, seed: 1 }],
        spots: [
          [[1], wrong.options],
          [[1, 'batch'], wrong.count(1)],
          [[1, 'pool'], wrong.count(1)],
        ],
      };
    },
    ({ face: { data } }, ...given) => {
      const buckets = new data.SequenceBuckets(...given);
      return [buckets.length, buckets.window(0), buckets.window(buckets.length - 1, 1)];
    },
  );
}
pure(
  'splitSeries',
  0.09,
  (random) => ({
    args: [random.floats(60), { steps: 4, training: 0.5 + random.next() * 0.2 }],
    spots: [
      [[1], wrong.options],
      [[1, 'steps'], wrong.count(1)],
      [[1, 'training'], wrong.number(1)],
    ],
  }),
  ({ face }, ...given) => face.data.splitSeries(...given),
);
pure(
  'splitSequences',
  0.09,
  (random) => ({
    args: [[1, 2, 3, 4, 5], { training: random.next(), seed: 4 }],
    spots: [
      [[1], wrong.options],
      [[1, 'training'], wrong.number(1)],
    ],
  }),
  ({ face }, ...given) => face.data.splitSequences(...given),
);
pure(
  'linearDecay',
  0.09,
  (random) => ({ args: [random.next()], spots: [[[0], wrong.number()]] }),
  ({ face }, rate) => face.main.linearDecay(rate)(3, 10),
);
pure(
  'stepDecay',
  0.09,
  (random) => ({
    args: [random.next(), { every: 2, factor: 0.5 }],
    spots: [
      [[0], wrong.number()],
      [[1, 'every'], wrong.count(1)],
      [[1, 'factor'], wrong.number(1)],
    ],
  }),
  ({ face }, ...given) => face.main.stepDecay(...given)(3, 10),
);
pure(
  'cosineDecay',
  0.09,
  (random) => ({
    args: [0.1 + random.next(), { warmup: 2, floor: 0.1 }],
    spots: [
      [[0], wrong.number()],
      [[1, 'warmup'], wrong.count(0)],
      [[1, 'floor'], wrong.number()],
    ],
  }),
  ({ face }, ...given) => face.main.cosineDecay(...given)(3, 10),
);
for (const name of ['ReduceOnPlateau', 'ReduceOnPlateau.report', 'ReduceOnPlateau.reset']) {
  pure(
    name,
    0.09,
    (random) => ({
      args: [random.next(), { factor: 0.5, patience: 1 }],
      spots: [
        [[0], wrong.number()],
        [[1, 'factor'], wrong.number(1)],
        [[1, 'patience'], wrong.count(0)],
      ],
    }),
    ({ face }, ...given) => {
      const plateau = new face.main.ReduceOnPlateau(...given);
      const rates = [3, 4, 5].map((loss) => plateau.report(loss));
      plateau.reset();
      return [...rates, plateau.rate];
    },
  );
}
