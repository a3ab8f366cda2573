/**
 * Metrics of whole data sets, against sums in float64 over the outputs of `model.forward`: one mean
 * over all targets that count, however they are spread over windows, rows and steps.
 */
import { afterAll, describe, expect, it } from 'vitest';
import {
  type LayerSpec,
  type LossChoice,
  type LossOptions,
  type Metric,
  type ModelState,
  type TrainerOptions,
  type TrainingData,
  type Input,
  type TrainingWindow,
  GatefoldError,
  Model,
  Trainer,
} from '../../src/hosts/default.ts';
import { SequenceBuckets } from '../../src/data/index.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const BATCH = 3;
const STEPS = 8;
const ALL: readonly Metric[] = ['accuracy', 'perplexity', 'bitsPerCharacter', 'mae'];
const gru: LayerSpec = { type: 'gru', inputSize: 2, hiddenSize: 5 };
const head = (outFeatures: number): LayerSpec => ({ type: 'linear', outFeatures });
const pool = (mode: 'last' | 'mean' | 'max'): LayerSpec => ({ type: 'pool', mode });

interface Case {
  readonly name: string;
  readonly layers: readonly LayerSpec[];
  readonly loss: LossChoice;
  readonly metrics: readonly Metric[];
  readonly options?: Partial<TrainerOptions>;
  /** Whether each window is of its own rather than the next part of a sequence. */
  readonly fresh?: boolean;
}

const LANGUAGE: readonly Metric[] = ['accuracy', 'perplexity', 'bitsPerCharacter'];
const ignoring = { type: 'cross-entropy', ignoreIndex: -100 } as const;
const CASES: readonly Case[] = [
  { name: 'classes', layers: [gru, head(5)], loss: 'cross-entropy', metrics: LANGUAGE },
  {
    name: 'an ignored class of its own',
    layers: [gru, head(4)],
    loss: ignoring,
    metrics: LANGUAGE,
    fresh: true,
  },
  {
    name: 'an ignored class among the others',
    layers: [gru, head(4)],
    loss: { type: 'cross-entropy', ignoreIndex: 0 },
    metrics: LANGUAGE,
  },
  {
    name: 'class weights',
    layers: [gru, head(3)],
    loss: { type: 'cross-entropy', classWeights: [0.3, 2, 0], ignoreIndex: -1 },
    metrics: ['accuracy'],
  },
  {
    name: 'both ways',
    layers: [{ ...gru, bidirectional: true }, head(3)],
    loss: ignoring,
    metrics: LANGUAGE,
    fresh: true,
  },
  {
    name: 'a memory budget',
    layers: [gru, head(4)],
    loss: ignoring,
    metrics: LANGUAGE,
    options: { maxBytes: 12_400 },
  },
  {
    name: 'a memory budget and a sum of weights',
    layers: [gru, head(4)],
    loss: { type: 'cross-entropy', classWeights: [0.3, 2, 0.1, 0.7] },
    metrics: ['accuracy'],
    options: { maxBytes: 12_400 },
  },
  {
    name: 'truncated BPTT',
    layers: [gru, head(4)],
    loss: ignoring,
    metrics: LANGUAGE,
    options: { bptt: { back: 6, every: 4 } },
  },
  ...(['last', 'mean', 'max'] as const).map((mode): Case => {
    const layers = [gru, pool(mode), head(4)];
    return { name: `pool ${mode}`, layers, loss: ignoring, metrics: LANGUAGE, fresh: true };
  }),
  { name: 'bits', layers: [gru, head(3)], loss: 'bce', metrics: ['accuracy'] },
  {
    name: 'a pooled bit',
    layers: [gru, pool('mean'), head(1)],
    loss: 'bce',
    metrics: ['accuracy'],
    fresh: true,
  },
  ...(['mse', 'mae', 'huber'] as const).map((loss): Case => {
    return { name: loss, layers: [gru, head(3)], loss, metrics: ['mae'] };
  }),
  {
    name: 'pooled values',
    layers: [gru, pool('last'), head(2)],
    loss: 'mse',
    metrics: ['mae'],
    fresh: true,
  },
];

const optionsOf = (loss: LossChoice): LossOptions =>
  typeof loss === 'string' ? ({ type: loss } as LossOptions) : loss;

/** Windows of several lengths, whole and ragged, one with rows of no step at all. */
function createData({ layers, loss, fresh = false }: Case, outputs: number): PlainWindow[] {
  const random = createRandom(11);
  const isPooled = layers.some(({ type }) => type === 'pool');
  const options = optionsOf(loss);
  const forms = [{}, { lengths: [3, 8, 5] }, { steps: 5 }, { lengths: [0, 6, 0] }] as const;
  return forms.map((form: { steps?: number; lengths?: readonly number[] }) => {
    const { steps = STEPS } = form;
    const rows = (isPooled ? 1 : steps) * BATCH;
    const inputs = Float32Array.from(random.vector(steps * BATCH * 2, 2));
    const ignored = 'ignoreIndex' in options ? options.ignoreIndex! : 0;
    const classOf = (): number => (random.unit() < 0.3 ? ignored : random.integer(0, outputs - 1));
    const value = (): number => (options.type === 'bce' ? random.unit() : random.around(1));
    const targets =
      options.type === 'cross-entropy'
        ? Int32Array.from({ length: rows }, classOf)
        : Float32Array.from({ length: rows * outputs }, value);
    return { inputs, targets, steps, fresh, ...form };
  });
}

/** Loss of a row of outputs, what it weighs, its hits and absolute errors. */
function judge(y: Float32Array, target: ArrayLike<number>, loss: LossOptions): number[] {
  if (loss.type === 'cross-entropy') {
    const chosen = target[0]!;
    if (chosen === loss.ignoreIndex) return [0, 0, 0, 0, 0];
    const weight = loss.classWeights ? loss.classWeights[chosen]! : 1;
    const sum = y.reduce((total, logit) => total + Math.exp(logit), 0);
    const nats = Math.log(sum) - y[chosen]!;
    return [weight * nats, weight, Number(y.indexOf(Math.max(...y)) === chosen), 0, 1];
  }
  const total = [0, 0, 0, 0, 0];
  for (const [k, value] of y.entries()) {
    const t = target[k]!;
    const error = Math.abs(value - t);
    const huber = error <= 1 ? error ** 2 / 2 : error - 0.5;
    const bce = Math.log(1 + Math.exp(value)) - value * t;
    const losses = { mse: error ** 2, mae: error, huber, bce, ctc: NaN };
    const sigmoid = 1 / (1 + Math.exp(-value));
    const own = [losses[loss.type], 1, Number(sigmoid > 0.5 === t > 0.5), error, 1];
    own.forEach((x, i) => (total[i]! += x));
  }
  return total;
}

/** A window of a model with one input and one output. */
type PlainWindow = TrainingWindow & {
  readonly inputs: Input;
  readonly targets: Float32Array | Int32Array;
  readonly steps: number;
  readonly lengths?: ArrayLike<number>;
};

function expectedOf(model: Model, windows: readonly PlainWindow[], loss: LossOptions) {
  const sums = [0, 0, 0, 0, 0];
  let state: ModelState = {};
  const { outputSize: width, pooled } = model;
  windows.forEach(({ inputs, targets, steps, lengths, fresh }, index) => {
    if (fresh || index === 0) state = {};
    const run = model.forward(inputs, { steps, batch: BATCH, state, lengths });
    state = run.state;
    const stride = loss.type === 'cross-entropy' ? 1 : width;
    for (let b = 0; b < BATCH; b++) {
      const length = lengths ? lengths[b]! : steps;
      for (let t = 0; t < (pooled ? Math.min(length, 1) : length); t++) {
        const row = t * BATCH + b;
        const y = run.output.subarray(row * width, (row + 1) * width);
        const target = targets.subarray(row * stride, (row + 1) * stride);
        judge(y, target, loss).forEach((x, i) => (sums[i]! += x));
      }
    }
  });
  const [losses, weight, hits, errors, count] = sums as [number, number, number, number, number];
  const mean = losses / weight;
  return {
    loss: mean,
    accuracy: hits / count,
    perplexity: Math.exp(mean),
    bitsPerCharacter: Math.log2(Math.E) * mean,
    mae: errors / count,
  };
}

describe.each(variants)('measures, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  const create = ({ layers, loss, options }: Case): Trainer => {
    const model = Model.create(engine, { layers }, { seed: 5 });
    return Trainer.create(model, { batch: BATCH, steps: STEPS, loss, ...options });
  };

  it.each(CASES)('$name', (given) => {
    const trainer = create(given);
    const { model } = trainer;
    const windows = createData(given, model.outputSize);
    const data: TrainingData = { length: windows.length, window: (index) => windows[index]! };
    const expected = expectedOf(model, windows, optionsOf(given.loss));
    const found = trainer.evaluate(data, given.metrics);
    expect(Object.keys(found)).toEqual(['loss', ...given.metrics]);
    expect(Math.abs(found.loss - expected.loss)).toBeLessThan(2e-6 * Math.max(1, expected.loss));
    for (const metric of given.metrics) {
      const [actual, wanted] = [found[metric]!, expected[metric]];
      // Hits are counted: their share is a quotient of the same whole numbers.
      if (metric === 'accuracy') expect(actual).toBe(wanted);
      else expect(Math.abs(actual - wanted)).toBeLessThan(2e-6 * Math.max(1, wanted));
    }
    expect(trainer.evaluate(data).loss).toBe(found.loss);
    model.dispose();
  });

  it.each(CASES)('$name: what it does not give is refused', (given) => {
    const trainer = create(given);
    const [window] = createData(given, trainer.model.outputSize);
    const data: TrainingData = { length: 1, window: () => window! };
    for (const metric of ALL.filter((name) => !given.metrics.includes(name))) {
      expect(() => trainer.evaluate(data, [metric])).toThrow(
        expect.objectContaining({ code: 'ERR_ARGUMENT' }) as GatefoldError,
      );
      expect(() => trainer.evaluate(data, [metric])).toThrow(`got '${metric}'`);
    }
    trainer.model.dispose();
  });

  it('with a memory budget the loss is the same bits', () => {
    const [whole, cut] = [undefined, 12_400].map((maxBytes) =>
      create({ ...CASES[5]!, options: { maxBytes } }),
    );
    const windows = createData(CASES[5]!, 4);
    const data: TrainingData = { length: windows.length, window: (index) => windows[index]! };
    expect(cut!.bytes).toBeLessThan(whole!.bytes);
    expect(cut!.evaluate(data, LANGUAGE)).toEqual(whole!.evaluate(data, LANGUAGE));
  });

  it('the rows that fill the last batch up count for nothing, in training neither', () => {
    const random = createRandom(2);
    const sequences = Array.from({ length: 4 }, (_, i) => ({
      input: Float32Array.from(random.vector(2 * (i + 1), 1)),
      target: i % 3,
    }));
    const layers = [gru, pool('mean'), head(3)];
    const prepare = (batch: number) => {
      const data = new SequenceBuckets(sequences, { batch, features: 2 });
      const model = Model.create(engine, { layers }, { seed: 5 });
      const optimizer = { type: 'sgd', lr: 1 } as const;
      const loss = 'cross-entropy';
      return { data, trainer: Trainer.create(model, { batch, steps: 4, loss, optimizer }) };
    };
    const [alone, three] = [prepare(4), prepare(3)];
    const found = three.trainer.evaluate(three.data, ['accuracy']);
    const wanted = alone.trainer.evaluate(alone.data, ['accuracy']);
    expect(found.accuracy).toBe(wanted.accuracy);
    expect(Math.abs(found.loss - wanted.loss)).toBeLessThan(1e-6);
    // A step on the one sequence of the last batch is that of a batch of one.
    const one = prepare(1);
    const last = three.data.window(1);
    expect([...last.lengths]).toEqual([4, 0, 0]);
    const { inputs, targets, steps, lengths } = last;
    three.trainer.trainOn(inputs, targets, { steps, lengths });
    one.trainer.trainOn(sequences[3]!.input, Int32Array.of(0), { steps: 4 });
    for (const [name, { data }] of three.trainer.model.stateDict()) {
      const other = one.trainer.model.stateDict().get(name)!.data;
      data.forEach((x, k) => expect(Math.abs(x - other[k]!), name).toBeLessThan(1e-6));
    }
  });

  it('ctc gives the mean over rows, and says where its error rate is', () => {
    const model = Model.create(engine, { layers: [gru, head(4)] }, { seed: 5 });
    const trainer = Trainer.create(model, { batch: 2, steps: 6, loss: 'ctc' });
    const random = createRandom(4);
    const windows = [
      { lengths: [6, 4], targetLengths: [2, 1] },
      { lengths: [6, 0], targetLengths: [3, 0] },
    ].map((form): PlainWindow => {
      const inputs = Float32Array.from(random.vector(6 * 2 * 2, 1));
      return { inputs, targets: Int32Array.of(1, 2, 3, 2, 1, 3), steps: 6, fresh: true, ...form };
    });
    const data: TrainingData = { length: 2, window: (index) => windows[index]! };
    const alone = windows.map(({ inputs, targets, steps, lengths, targetLengths }) => {
      trainer.resetEvaluation();
      return trainer.evaluateWindow(inputs, targets, { steps, lengths, targetLengths });
    });
    expect(trainer.evaluate(data).loss).toBeCloseTo((2 * alone[0]! + alone[1]!) / 3, 12);
    expect(() => trainer.evaluate(data, ['accuracy'])).toThrow(/greedyCtc.*labelErrorRate/);
    model.dispose();
  });

  it('logits that are NaN find nothing, nor do ignored targets, and ties go to the first', () => {
    const model = Model.create(engine, {
      layers: [{ type: 'linear', inFeatures: 3, outFeatures: 3 }],
    });
    const parameters = model.stateDict();
    parameters.get('linear.weight')!.data.set([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    parameters.get('linear.bias')!.data.fill(0);
    model.loadStateDict(parameters);
    const share = (loss: LossChoice, inputs: number[], targets: Float32Array | Int32Array) => {
      const steps = inputs.length / 3;
      const trainer = Trainer.create(model, { batch: 1, steps, loss });
      const window = { inputs: Float32Array.from(inputs), targets, steps };
      return trainer.evaluate({ length: 1, window: () => window }, ['accuracy']).accuracy;
    };
    const classOf = (k: number): Int32Array => Int32Array.of(k);
    expect(share('cross-entropy', [NaN, 1, 0], classOf(0))).toBe(0);
    expect(share('cross-entropy', [NaN, 1, 0], classOf(1))).toBe(0);
    expect(share('cross-entropy', [2, 2, 0], classOf(0))).toBe(1);
    expect(share('cross-entropy', [2, 2, 0], classOf(1))).toBe(0);
    const ignoring = { type: 'cross-entropy', ignoreIndex: 0 } as const;
    expect(share(ignoring, [2, 0, 0, 0, 2, 0], Int32Array.of(0, 1))).toBe(1);
    expect(share('bce', [0, 0, 0], Float32Array.of(0.5, 0, 1))).toBeCloseTo(2 / 3, 12);
    model.dispose();
  });

  it('refuses data in which nothing counts', () => {
    const trainer = create(CASES[1]!);
    const targets = new Int32Array(STEPS * BATCH).fill(-100);
    const window = { inputs: new Float32Array(STEPS * BATCH * 2), targets, steps: STEPS };
    const data: TrainingData = { length: 1, window: () => window };
    expect(() => trainer.evaluate(data)).toThrow(/at least one target that counts/);
  });
});
