/**
 * Every public function, with each of its arguments in turn of a kind that it does not take: the
 * call must return, or throw the package's own error. A plain `TypeError` would tell the caller
 * about our code rather than theirs.
 */
import { afterAll, describe, expect, it } from 'vitest';
import * as data from '../../src/data/index.ts';
import * as pytorch from '../../src/formats/pytorch.ts';
import * as safetensors from '../../src/formats/safetensors.ts';
import * as core from '../../src/hosts/core.ts';
import * as main from '../../src/hosts/default.ts';
import * as worklet from '../../src/hosts/worklet.ts';
import * as kernelsEntry from '../../src/kernels/index.ts';
import * as threads from '../../src/threads/index.ts';
// @ts-expect-error: JavaScript without types
import { publicFunctions } from '../redzone/functions.mjs';

/** What the entries export that nobody calls. */
const OTHER = ['UNKNOWN', 'GatefoldError'];
/** Kinds that hardly anything takes; some are right in places, and then have to work. */
const WRONG: readonly unknown[] = [
  null,
  undefined,
  '',
  'text',
  '3',
  0,
  3,
  -1,
  1.5,
  NaN,
  Infinity,
  2 ** 53,
  true,
  10n,
  Symbol('wrong'),
  () => 3,
  {},
  [],
  ['text'],
  [null],
  Object.create(null),
  new Date(0),
  new Map([[1, 2]]),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  new Float32Array(0),
  new BigInt64Array(2),
  Promise.resolve({}),
  { length: 2 ** 40 },
  /text/,
];

const engine = main.Engine.createSync();
afterAll(() => engine.dispose());
const description: main.ModelDescription = {
  layers: [
    { type: 'gru', inputSize: 2, hiddenSize: 3 },
    { type: 'linear', outFeatures: 2 },
  ],
};
const makeModel = (): main.Model => main.Model.create(engine, description);
const model = makeModel();
const training = {
  batch: 1,
  steps: 4,
  loss: { type: 'mse' },
  optimizer: { type: 'sgd', lr: 0.1, momentum: 0.5, weightDecay: 0.1 },
  groups: [{ parameters: ['gru'], lr: 0.01 }],
  gradClip: { norm: 1 },
  onNonFinite: 'throw',
  seed: 3,
} as const;
const makeTrainer = (): main.Trainer => main.Trainer.create(model, training);
const floats = (length: number): Float32Array => new Float32Array(length).fill(0.5);
const bytes = safetensors.saveModel(model);
const run = safetensors.saveTrainer(makeTrainer());
const kernels = kernelsEntry.Kernels.create(engine);
const series = floats(80);
const sequences = [1, 2, 3].map((n) => ({ input: floats(n), target: n }));
const random = (): number => 0.5;
const cell = kernels.lstmCell(floats(8), floats(2), 2);
const gru = kernels.gruCell(floats(6), floats(6), floats(2), 2);

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** Valid arguments, and the call that takes them. */
type Call = readonly [args: readonly unknown[], call: (...args: never[]) => unknown];
const call = <A extends unknown[]>(args: [...A], run: (...args: A) => unknown): Call => [args, run];

/** The places of some arguments, and of what plain objects and lists among them hold. */
function placesOf(value: unknown, path: readonly PropertyKey[] = []): (readonly PropertyKey[])[] {
  const isPlain = Object.getPrototypeOf(value ?? 0) === Object.prototype;
  if (path.length > 4 || !(isPlain || Array.isArray(value))) return [];
  const keys = Object.keys(value as object).slice(0, isPlain ? 20 : 2);
  return keys.flatMap((key) => {
    const own = [...path, key];
    return [own, ...placesOf((value as Record<PropertyKey, unknown>)[key], own)];
  });
}

function replaced(value: unknown, [key, ...rest]: readonly PropertyKey[], wrong: unknown): unknown {
  const copy = (
    Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }
  ) as Record<PropertyKey, unknown>;
  copy[key!] = rest.length ? replaced(copy[key!], rest, wrong) : wrong;
  return copy;
}

/** A valid call of every function that an entry exports, under its name; methods under their own. */
const CALLS: Record<string, Call> = {
  'Engine.createSync': call([{}], (options) => main.Engine.createSync(options)),
  'Engine.create': call([{}], (options) => main.Engine.create(options)),
  'core Engine.createSync': call([{ module: main.wasmBytes() }], (options) =>
    core.Engine.createSync(options),
  ),
  wasmBytes: call([{}], main.wasmBytes),
  'Model.create': call([engine, description, {}], (...args) => main.Model.create(...args)),
  'model.loadStateDict': call([model.stateDict()], (tensors) => model.loadStateDict(tensors)),
  'model.forward': call(
    [
      floats(4),
      {
        steps: 2,
        batch: 1,
        batchFirst: false,
        state: model.stream().save(),
        lengths: [2],
        padding: 'zero' as const,
        out: floats(4),
      },
    ],
    (...args) => model.forward(...args),
  ),
  'model.gates': call([floats(4), { steps: 2 }], (...args) => model.gates(...args)),
  'model.warmUp': call([{ batch: 1, steps: 1000 }], (options) => {
    // Without options it takes long.
    if (options !== undefined && !isEmpty(options)) model.warmUp(options);
  }),
  'model.quantize': call([{}], (...args) =>
    (model.quantize as (...a: unknown[]) => main.Model)(...args).dispose(),
  ),
  'model.stream': call(
    [{ batch: 1, state: model.stream().save(), onNonFinite: 'throw' as const }],
    (options) => model.stream(options).dispose(),
  ),
  'stream.copyFrom': call([model.stream()], (other) => model.stream().copyFrom(other)),
  'stream.reset': call([0], (row) => model.stream().reset(row)),
  'stream.state': call([0], (row) => model.stream().state(row)),
  'trainer.fit': call(
    [
      { length: 1, window: () => ({ inputs: floats(8), targets: floats(8), steps: 4 }) },
      {
        epochs: 1,
        from: 0,
        signal: { aborted: false },
        validation: {
          length: 1,
          window: () => ({ inputs: floats(8), targets: floats(8), steps: 4 }),
        },
        metrics: ['mae'] as const,
        learningRate: () => 0.1,
        earlyStopping: { patience: 1, minDelta: 0 },
        keepBest: true,
        checkpoint: { every: 1, save: () => {} },
        yieldEvery: 50,
      },
    ],
    async (...args) => void (await makeTrainer().fit(...args)),
  ),
  'trainer.fit, a window': call([floats(8), floats(8), 4, [4], false], async (...args) => {
    const [inputs, targets, steps, lengths, fresh] = args;
    const window = { inputs, targets, steps, lengths, fresh };
    await makeTrainer().fit({ length: 1, window: () => window }, { epochs: 1 });
  }),
  'trainer.evaluate': call(
    [
      { length: 1, window: () => ({ inputs: floats(8), targets: floats(8), steps: 4 }) },
      ['mae'] as const,
    ],
    (...args) => makeTrainer().evaluate(...args),
  ),
  'trainer.learningRate': call([0.1], (rate) => {
    makeTrainer().learningRate = rate;
  }),
  'Stream.step': call([floats(2), floats(2)], (...args) => model.stream().step(...args)),
  'stream.run': call([floats(4), floats(4), 2], (...args) => model.stream().run(...args)),
  'stream.save': call([model.stream().save()], (into) => model.stream().save(into)),
  'stream.restore': call([model.stream().save()], (state) => model.stream().restore(state)),
  'Trainer.create': call([model, training], (...args) => main.Trainer.create(...args)),
  'trainer.trainOn': call([floats(8), floats(8), { steps: 4, lengths: [3] }], (...args) =>
    makeTrainer().trainOn(...args),
  ),
  'trainer.evaluateWindow': call([floats(8), floats(8), {}], (...args) =>
    makeTrainer().evaluateWindow(...args),
  ),
  'trainer.forward': call([floats(8), {}], (...args) => makeTrainer().forward(...args)),
  'trainer.backward': call([{ output: floats(8), target: floats(8), flow: true }], (gradients) => {
    const trainer = makeTrainer();
    trainer.forward(floats(8));
    trainer.backward(gradients);
  }),
  'trainer.restore': call([makeTrainer().snapshot()], (snapshot) =>
    makeTrainer().restore(snapshot),
  ),
  gradientFlow: call(
    [model, { x: floats(4), target: floats(4), steps: 2, loss: 'mse' } as main.FlowBatch],
    main.gradientFlow,
  ),
  greedyCtc: call(
    [floats(6), { steps: 3, batch: 1, lengths: [2], batchFirst: false, blank: 0 }],
    main.greedyCtc,
  ),
  labelErrorRate: call([[[1, 2]], [[1]]], main.labelErrorRate),
  linearDecay: call([0.1], main.linearDecay),
  stepDecay: call([0.1, { every: 2, factor: 0.5 }], main.stepDecay),
  cosineDecay: call([0.1, { warmup: 1, floor: 0 }], main.cosineDecay),
  ReduceOnPlateau: call(
    [
      0.1,
      {
        factor: 0.1,
        patience: 1,
        threshold: 0,
        thresholdMode: 'rel' as const,
        cooldown: 0,
        minLr: 0,
        eps: 0,
      },
    ],
    (...args) => new main.ReduceOnPlateau(...args),
  ),
  defineLayers: call([[]], main.defineLayers),
  summary: call([model, { svg: true }], main.summary),
  softmax: call([floats(3), { temperature: 1, out: floats(3) }], main.softmax),
  argmax: call([floats(3)], main.argmax),
  topK: call([floats(3), 2], main.topK),
  sampleToken: call([floats(3), { random, temperature: 1, topK: 2 }], main.sampleToken),
  seededRandom: call([1, 2], main.seededRandom),
  TextBatches: call(
    [new Int32Array(9), { batch: 2, steps: 2 }],
    (...args) => new main.TextBatches(...args),
  ),
  'textBatches.window': call([0], (index) =>
    new main.TextBatches(new Int32Array(9), { batch: 2, steps: 2 }).window(index),
  ),
  Vocabulary: call(['abc'], (text) => new main.Vocabulary(text)),
  'Vocabulary.of': call(['abc'], (text) => main.Vocabulary.of(text)),
  'vocabulary.encode': call(['abc'], (text) => new main.Vocabulary('abc').encode(text)),
  splitByPosition: call([[[1, 2, 3, 4]], 0.5], main.splitByPosition),
  SeriesWindows: call(
    [series, { batch: 2, steps: 3 }],
    (...args) => new data.SeriesWindows(...args),
  ),
  'SeriesWindows, all options': call(
    [[1, 2], [0], 'shuffled', 2] as [number[], number[], 'shuffled', number],
    (horizon, targets, order, stride) =>
      new data.SeriesWindows(series, { batch: 2, steps: 3, horizon, targets, order, stride }),
  ),
  'seriesWindows.window': call([0, 1], (...args) =>
    new data.SeriesWindows(series, { batch: 2, steps: 3, order: 'shuffled' }).window(...args),
  ),
  SequenceBuckets: call([sequences, { batch: 2 }], (...args) => new data.SequenceBuckets(...args)),
  'SequenceBuckets, a sequence': call(
    [{ input: floats(2), target: 1 }],
    (sequence) => new data.SequenceBuckets([sequence, ...sequences], { batch: 2 }),
  ),
  'SequenceBuckets, a later sequence': call(
    [{ input: floats(2), target: 1 }],
    (sequence) => new data.SequenceBuckets([...sequences, sequence], { batch: 2 }),
  ),
  'SequenceBuckets, what a sequence has': call(
    [floats(2), 1],
    (input, target) => new data.SequenceBuckets([{ input, target }, ...sequences], { batch: 2 }),
  ),
  'SequenceBuckets, what a later sequence has': call(
    [floats(2), 1],
    (input, target) => new data.SequenceBuckets([...sequences, { input, target }], { batch: 2 }),
  ),
  'sequenceBuckets.window': call([0, 1], (...args) =>
    new data.SequenceBuckets(sequences, { batch: 2 }).window(...args),
  ),
  splitSeries: call([series, { steps: 3 }], data.splitSeries),
  splitSequences: call([[1, 2, 3], {}], (...args) => data.splitSequences(...args)),
  'splitSequences, group': call([(n: number) => n], (group) =>
    data.splitSequences([1, 2, 3], { group }),
  ),
  Normalizer: call([{ mean: [0], deviation: [1] }], (values) => new data.Normalizer(values)),
  'Normalizer, its lists': call(
    [[0], [1]],
    (mean, deviation) => new data.Normalizer({ mean, deviation }),
  ),
  'Normalizer.fit': call([series, 2], (...args) => data.Normalizer.fit(...args)),
  'normalizer.apply': call([series], (rows) => data.Normalizer.fit(series).apply(rows)),
  'normalizer.undo': call([series, [0]], (...args) => data.Normalizer.fit(series).undo(...args)),
  'Kernels.create': call([engine], (one) => kernelsEntry.Kernels.create(one)),
  matmul: call([floats(2), floats(2), 1, 2, 1, floats(1)], (a, b, m, k, n, out) =>
    kernels.matmul(a, b, m, k, n, out),
  ),
  sigmoid: call([floats(4), floats(4)], (...args) => kernels.sigmoid(...args)),
  tanh: call([floats(4), floats(4)], (...args) => kernels.tanh(...args)),
  'kernels.softmax': call([floats(4), 1, floats(4)], (...args) => kernels.softmax(...args)),
  lstmCell: call([floats(8), floats(2), 2], (...args) => kernels.lstmCell(...args)),
  lstmCellBackward: call([cell, floats(2), floats(2), floats(2), 2], (...args) =>
    kernels.lstmCellBackward(...args),
  ),
  gruCell: call([floats(6), floats(6), floats(2), 2], (...args) => kernels.gruCell(...args)),
  gruCellBackward: call([gru, floats(6), floats(2), floats(2), 2], (...args) =>
    kernels.gruCellBackward(...args),
  ),
  'kernels.activation': call(
    [{ type: 'leakyRelu' as const, alpha: 0.1 }, floats(4), floats(4)],
    (...args) => kernels.activation(...args),
  ),
  'kernels.logSoftmax': call([floats(4), 1, floats(4), 2], (...args) =>
    kernels.logSoftmax(...args),
  ),
  'kernels.layerNorm': call(
    [floats(4), 2, { gamma: floats(2), beta: floats(2), eps: 1e-5 }, floats(4)],
    (...args) => kernels.layerNorm(...args),
  ),
  'kernels.matrix': call([floats(4), 2, 2], (...args) => kernels.matrix(...args)),
  'kernels.convolution': call(
    [
      floats(6),
      {
        inChannels: 1,
        outChannels: 2,
        kernelSize: 3,
        stride: 1,
        dilation: 1,
        groups: 1,
        bias: floats(2),
      },
    ],
    (...args) => kernels.convolution(...args),
  ),
  'kernels.conv1d': call(
    [
      floats(4),
      kernels.convolution(floats(6), { inChannels: 1, outChannels: 2, kernelSize: 3 }),
      { steps: 4, batch: 1 },
      floats(4),
    ],
    (...args) => kernels.conv1d(...args),
  ),
  'reduceOnPlateau.report': call([1], (loss) => new main.ReduceOnPlateau(0.1).report(loss)),
  saveModel: call([model, { note: 'text' }], safetensors.saveModel),
  loadModel: call([engine, bytes], safetensors.loadModel),
  loadPytorch: call([engine, bytes, { description }], pytorch.loadPytorch),
  readPytorch: call([bytes, { description }], pytorch.readPytorch),
  describeModule: call([pytorch.readPytorch(bytes), 'gru', 'linear'], pytorch.describeModule),
  saveTrainer: call([makeTrainer(), {}], safetensors.saveTrainer),
  loadTrainer: call([makeTrainer(), run], safetensors.loadTrainer),
  readSafetensors: call([bytes, {}], safetensors.readSafetensors),
  writeSafetensors: call([model.stateDict(), {}], safetensors.writeSafetensors),
  'ThreadedEngine.create': call([{ threads: 1 }], async (options) => {
    // Without options it starts workers.
    if (options === null || typeof options !== 'object' || !('threads' in options)) return;
    (await threads.ThreadedEngine.create(options)).dispose();
  }),
  shareModel: call([model], threads.shareModel),
  attachModel: call([{} as threads.SharedModel], threads.attachModel),
  releaseModel: call([{} as threads.SharedModel], threads.releaseModel),
};

it('an engine that was not awaited, or is of another copy, is named', () => {
  const promise = main.Engine.create() as unknown as main.Engine;
  expect(() => main.Model.create(promise, description)).toThrow(
    /"engine" expected an Engine, got a Promise: put "await" before/,
  );
  const other = { dispose() {}, variant: 'relaxed' } as unknown as main.Engine;
  expect(() => main.Model.create(other, description)).toThrow(/another copy of this package/);
  const model2 = { dispose() {}, description } as unknown as main.Model;
  expect(() => main.Trainer.create(model2, training)).toThrow(
    /"model" expected a Model, got .*copy/,
  );
});

it('mismatches of data and trainer are named before the first update', async () => {
  const trainer = makeTrainer();
  const windows = new data.SeriesWindows(series, { batch: 2, steps: 3, features: 2 });
  expect(() => trainer.fit(windows, { epochs: 1 })).toThrow(
    /"data" has batches of 2 rows, and the trainer takes 1/,
  );
  const long = new data.SeriesWindows(series, { batch: 1, steps: 5, features: 2 });
  expect(() => trainer.fit(long, { epochs: 1 })).toThrow(/"data" has windows of 5 steps.*up to 4/);
  const good = new data.SeriesWindows(series, { batch: 1, steps: 4, features: 2 });
  expect(() => trainer.fit(good, { epochs: 1, validation: windows })).toThrow(/"validation" has/);
  expect(() => trainer.evaluate(long)).toThrow(/"data" has windows of 5/);
  const rate = { epochs: 1, learningRate: 0.1 as never };
  expect(() => trainer.fit(good, rate)).toThrow(/"learningRate" expected a schedule/);
  expect(trainer.updates).toBe(0);
  await trainer.fit(good, { epochs: 1 });
});

it('the calls are of all functions that the entries export', () => {
  const entries = [main, core, worklet, data, kernelsEntry, pytorch, safetensors, threads];
  const names = entries.flatMap((entry) =>
    Object.entries(entry).flatMap(([name, value]) =>
      OTHER.includes(name) || !value ? [] : [name],
    ),
  );
  const covered = new Set(Object.keys(CALLS).map((name) => name.split(/[.,]/)[0]!));
  expect([...new Set(names)].filter((name) => !covered.has(name))).toEqual([]);
});

it('and of all their methods that take something', () => {
  const faces = { main, core, data, kernels: kernelsEntry, pytorch, safetensors, threads };
  const covered = new Set(Object.keys(CALLS).map((name) => name.split(',')[0]!.toLowerCase()));
  const methods = (publicFunctions(faces as never) as readonly string[]).filter((name) => {
    const [type, method] = name.split('.');
    if (!method) return false;
    const own = { ...main, ...data, ...kernelsEntry, ...threads }[type as 'Model'] as unknown as {
      prototype: object;
    };
    const { value, set } =
      Object.getOwnPropertyDescriptor(own.prototype, method) ??
      Object.getOwnPropertyDescriptor(own, method) ??
      {};
    const takes = /^(async |\*)?[\w$]+\(\s*[^)\s]/;
    return typeof value === 'function' ? takes.test(String(value)) : set !== undefined;
  });
  const missing = methods.filter((name) => {
    const [type, method] = name.toLowerCase().split('.');
    return ![`${type}.${method}`, type === 'kernels' ? method! : ''].some((own) =>
      covered.has(own),
    );
  });
  expect(missing).toEqual([]);
});

describe('arguments of other kinds', () => {
  it.each(Object.entries(CALLS))('are refused by name: %s', async (_, [args, run]) => {
    const attempt = run as (...args: unknown[]) => unknown;
    for (const place of placesOf(args)) {
      for (const wrong of WRONG) {
        const given = replaced([...args], place, wrong) as unknown[];
        let error: unknown;
        try {
          await attempt(...given);
        } catch (caught) {
          error = caught;
        }
        const outcome = error === undefined || error instanceof main.GatefoldError || error;
        expect([place.join('.'), wrong, outcome]).toEqual([place.join('.'), wrong, true]);
      }
    }
  });
});

describe('an error says which argument it is', () => {
  const wrong: [string, RegExp, () => unknown][] = [
    ['a list', /"wanted\[0\]" expected a list, got 3/, () => main.labelErrorRate([], [3 as never])],
    ['a text', /"text" expected a text, got 3/, () => new main.Vocabulary(3 as never)],
    [
      'a column',
      /"columns\[1\]" expected a whole number from 0 to 0/,
      () => data.Normalizer.fit(series).undo(series, [0, 1]),
    ],
    [
      'two lists',
      /"deviation" expected 2 numbers, as "mean" has, got 1/,
      () => new data.Normalizer({ mean: [0, 0], deviation: [1] }),
    ],
    [
      'an input',
      /"sequences\[1\]\.input" expected .*Array of .*, got 'text'/,
      () =>
        new data.SequenceBuckets(
          [...sequences.slice(0, 1), { input: 'text' as never, target: 1 }],
          {
            batch: 1,
          },
        ),
    ],
    [
      'a window',
      /"index" expected a whole number from 0 to 1, got 2/,
      () => new main.TextBatches(new Int32Array(9), { batch: 2, steps: 2 }).window(2),
    ],
    [
      'a misspelt option',
      /"options" has no option "warmUp"/,
      () => main.cosineDecay(0.1, { warmUp: 3 } as never),
    ],
    [
      'a tensor',
      /tensor "a" expected \{ shape, data \}, shape a list/,
      () => safetensors.writeSafetensors(new Map([['a', null as never]])),
    ],
  ];

  it.each(wrong)('%s', (_, message, use) => {
    expect(use).toThrow(main.GatefoldError);
    expect(use).toThrow(message);
  });
});
