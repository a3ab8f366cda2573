/**
 * What a batch normalisation keeps of training: when its running statistics move, by how much, and
 * what they are for. Its outputs and gradients are those of the drawn graphs.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, gradientFlow } from '../../src/hosts/default.ts';
import type { LayerSpec, StateDict, TrainerOptions } from '../../src/hosts/default.ts';
import { loadModel, saveModel } from '../../src/formats/gatefold.ts';
import { checkConfiguration, createCampaign, sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const numbers = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

const WIDTH = 5;
const [batch, steps] = [3, 6];
const LAYER = { type: 'batchNorm', inputSize: WIDTH } as const;

/** Mean and biased variance of every feature of x [rows, WIDTH]. */
function momentsOf(x: ArrayLike<number>): { mean: number; variance: number }[] {
  return Array.from({ length: WIDTH }, (_, k) => {
    const column = Array.from({ length: x.length / WIDTH }, (__, row) => x[row * WIDTH + k]!);
    const mean = column.reduce((sum, value) => sum + value, 0) / column.length;
    const squares = column.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { mean, variance: squares / column.length };
  });
}

const statisticsOf = (model: Model): Float32Array[] =>
  ['mean', 'var'].map((role) => model.stateDict().get(`batchNorm.running_${role}`)!.data);

function requireSame(a: StateDict, b: StateDict, isSame: (name: string) => boolean): void {
  for (const [name, { data }] of a) {
    expect(sameBits(data, b.get(name)!.data), name).toBe(isSame(name));
  }
}

describe.each(variants)('batchNorm in training, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  const create = (
    layers: readonly LayerSpec[],
    options: Partial<TrainerOptions> = {},
  ): { model: Model; trainer: Trainer } => {
    const model = Model.create(engine, { layers }, { seed: 1 });
    const optimizer = { type: 'sgd', learningRate: 0.1 } as const;
    const all = { batch, steps, loss: 'mse', optimizer, ...options } as const;
    return { model, trainer: Trainer.create(model, all) };
  };
  const x = numbers(1, steps * batch * WIDTH);
  const target = numbers(2, steps * batch * WIDTH);

  it.each([
    [{}, 0.1, true],
    [{ momentum: 0.3, unbiased: false }, 0.3, false],
    [{ momentum: 1 }, 1, true],
    [{ momentum: 0 }, 0, true],
  ])('an update moves the running statistics, %o', (options, momentum, unbiased) => {
    // No parameter of an optimizer, they do not decay.
    const optimizer = { type: 'sgd', learningRate: 0.1, weightDecay: 0.1 } as const;
    const { model, trainer } = create([{ ...LAYER, ...options }], { optimizer });
    const [means, variances] = [new Float64Array(WIDTH), new Float64Array(WIDTH).fill(1)];
    for (let update = 0; update < 3; update++) {
      // Rows behind the valid steps of the batch have no part in it.
      const lengths = update ? [6, 1, 4] : undefined;
      const given = numbers(update, x.length).map((value) => 3 + value);
      const rows = Array.from({ length: steps * batch }, (_, row) => row).filter(
        (row) => !lengths || Math.floor(row / batch) < lengths[row % batch]!,
      );
      const valid = rows.flatMap((row) => [...given.subarray(row * WIDTH, (row + 1) * WIDTH)]);
      for (const [k, { mean, variance }] of momentsOf(valid).entries()) {
        const factor = unbiased ? rows.length / (rows.length - 1) : 1;
        means[k] = (1 - momentum) * means[k]! + momentum * mean;
        variances[k] = (1 - momentum) * variances[k]! + momentum * variance * factor;
      }
      trainer.trainOn(given, target, { lengths });
      const [mean, variance] = statisticsOf(model);
      means.forEach((value, k) => expect(mean![k]).toBeCloseTo(value, 6));
      variances.forEach((value, k) => expect(variance![k]).toBeCloseTo(value, 6));
    }
    trainer.dispose();
    model.dispose();
  });

  it('outputs of training have the statistics of the window, whatever the mean', () => {
    const { model, trainer } = create([LAYER]);
    const given = x.map((value) => 1000 + value);
    const { output } = trainer.forward(given);
    const moments = momentsOf(given);
    output.forEach((y, i) => {
      const { mean, variance } = moments[i % WIDTH]!;
      expect(y).toBeCloseTo((given[i]! - mean) / Math.sqrt(variance + 1e-5), 5);
    });
    trainer.dispose();
    model.dispose();
  });

  it('inference and evaluation take the running statistics, and move nothing', () => {
    const { model, trainer } = create([LAYER]);
    trainer.trainOn(x, target);
    const before = model.stateDict();
    const { output } = model.forward(x, { steps, batch });
    const [mean, variance] = statisticsOf(model);
    const { data: gamma } = before.get('batchNorm.weight')!;
    const { data: beta } = before.get('batchNorm.bias')!;
    output.forEach((y, i) => {
      const k = i % WIDTH;
      const normal = (x[i]! - mean![k]!) / Math.sqrt(variance![k]! + 1e-5);
      expect(y).toBeCloseTo(normal * gamma[k]! + beta[k]!, 5);
    });
    const loss = output.reduce((sum, y, i) => sum + (y - target[i]!) ** 2, 0) / output.length;
    expect(trainer.evaluateWindow(x, target)).toBeCloseTo(loss, 5);
    const window = { inputs: x, targets: target, steps };
    const data = { length: 1, targetCount: 0, window: () => window };
    expect(trainer.evaluate(data).loss).toBeCloseTo(loss, 5);
    // An update of its own, with nothing to go by.
    trainer.zeroGradients();
    trainer.update();
    requireSame(model.stateDict(), before, () => true);
    trainer.dispose();
    model.dispose();
  });

  it('passes of one update move them one after the other, and zeroed gradients none', () => {
    const { model, trainer } = create([LAYER]);
    const other = numbers(7, x.length);
    const go = (given: Float32Array): void => {
      trainer.forward(given);
      trainer.backward({ target });
    };
    const fresh = model.stateDict();
    const expected = [new Float64Array(WIDTH), new Float64Array(WIDTH).fill(1)];
    for (const given of [x, other]) {
      momentsOf(given).forEach(({ mean, variance }, k) => {
        const n = steps * batch;
        expected[0]![k] = 0.9 * expected[0]![k]! + 0.1 * mean;
        expected[1]![k] = 0.9 * expected[1]![k]! + (0.1 * variance * n) / (n - 1);
      });
    }
    go(other);
    const once = trainer.gradients();
    go(other);
    for (const [name, { data }] of trainer.gradients()) {
      once.get(name)!.data.forEach((value, k) => expect(data[k], name).toBeCloseTo(2 * value, 6));
    }
    trainer.zeroGradients();
    trainer.update();
    expect(statisticsOf(model).flatMap((own) => [...own])).toEqual(
      [0, 1].flatMap((value) => Array.from({ length: WIDTH }, () => value)),
    );
    go(x);
    // No way back, no part.
    trainer.forward(numbers(8, x.length));
    go(other);
    requireSame(model.stateDict(), fresh, () => true);
    trainer.update();
    const moved = statisticsOf(model);
    expected.forEach((values, n) => {
      values.forEach((value, k) => expect(moved[n]![k]).toBeCloseTo(value, 6));
    });
    // The same gradients once more, but no pass.
    trainer.update();
    statisticsOf(model).forEach((own, n) => expect(sameBits(own, moved[n]!)).toBe(true));
    trainer.dispose();
    model.dispose();
  });

  it('a window that is not finite moves nothing', () => {
    const { model, trainer } = create([LAYER, { type: 'linear', outFeatures: WIDTH }], {
      onNonFinite: 'skip',
    });
    const before = model.stateDict();
    const endless = target.map((value, k) => (k ? value : Infinity));
    expect(trainer.trainOn(x, endless).finite).toBe(false);
    requireSame(model.stateDict(), before, () => true);
    // A loss that is finite, with gradients that are not.
    trainer.forward(x);
    trainer.backward({ output: endless });
    expect(trainer.update().finite).toBe(false);
    requireSame(model.stateDict(), before, () => true);
    trainer.trainOn(x, target);
    const [mean] = statisticsOf(model);
    momentsOf(x).forEach((own, k) => expect(mean![k]).toBeCloseTo(0.1 * own.mean, 6));
    trainer.dispose();
    model.dispose();
  });

  it('a group of rate 0 keeps scale and shift alone; frozen keeps all four', () => {
    const around = (frozen: boolean): LayerSpec[] => [
      { type: 'linear', inFeatures: WIDTH, outFeatures: WIDTH },
      { type: 'batchNorm', frozen },
    ];
    const groups = [{ parameters: ['batchNorm'], learningRate: 0 }];
    for (const [frozen, options] of [
      [false, { groups }],
      [false, {}],
      [true, {}],
    ] as const) {
      const { model, trainer } = create(around(frozen), options);
      const before = model.stateDict();
      trainer.trainOn(x, target);
      const after = [...model.stateDict()].filter(([name]) => name.startsWith('batchNorm'));
      requireSame(new Map(after), before, (name) => {
        return name.includes('running') ? frozen : frozen || 'groups' in options;
      });
      trainer.dispose();
      model.dispose();
    }
  });

  it('one valid row is normalised by eps alone', () => {
    const { model, trainer } = create([LAYER]);
    const lengths = [0, 1, 0];
    const { output } = trainer.forward(x, { lengths });
    expect([...output].every((y) => y === 0)).toBe(true);
    const { input } = trainer.backward({ output: target });
    expect([...input!].every((value) => value === 0)).toBe(true);
    trainer.zeroGradients();
    const report = trainer.trainOn(x, target, { lengths });
    expect(report.finite).toBe(true);
    const [mean, variance] = statisticsOf(model);
    for (let k = 0; k < WIDTH; k++) {
      expect(mean![k]).toBeCloseTo(0.1 * x[WIDTH + k]!, 6);
      expect(variance![k]).toBeCloseTo(0.9, 6);
    }
    trainer.dispose();
    model.dispose();
  });

  it('behind a pool, sequences without a step have no part; of none alone nothing moves', () => {
    const layers = [
      { type: 'activation', activation: 'identity', inputSize: WIDTH },
      { type: 'pool', mode: 'mean' },
      { type: 'batchNorm' },
    ] as const;
    const { model, trainer } = create(layers);
    const pooled = target.subarray(0, batch * WIDTH);
    trainer.trainOn(x, pooled, { lengths: [1, 0, 1] });
    const rows = [0, 2].flatMap((row) => [...x.subarray(row * WIDTH, (row + 1) * WIDTH)]);
    const [mean, variance] = statisticsOf(model);
    momentsOf(rows).forEach((own, k) => {
      expect(mean![k]).toBeCloseTo(0.1 * own.mean, 6);
      expect(variance![k]).toBeCloseTo(0.9 + 0.1 * 2 * own.variance, 6);
    });
    const before = model.stateDict();
    trainer.trainOn(x, pooled, { lengths: [0, 0, 0] });
    requireSame(model.stateDict(), before, () => true);
    trainer.dispose();
    model.dispose();
  });

  it('of rows of different lengths, behind a pool and before one, gradients are exact', () => {
    const linear = { type: 'linear', inFeatures: 3, outFeatures: WIDTH } as const;
    const pool = { type: 'pool', mode: 'mean' } as const;
    const norm = { type: 'batchNorm' } as const;
    // A bias sees the gradient of a row that does not count.
    const second = { type: 'linear', outFeatures: WIDTH } as const;
    const campaign = createCampaign(/* with options */ true);
    for (const layers of [
      [linear, pool, second, norm],
      [linear, norm, pool],
    ]) {
      for (let seed = 1; seed <= 10; seed++) {
        checkConfiguration(campaign, engine, {
          variant,
          description: { layers },
          dims: { steps: 4, batch: 6 },
          ragged: true,
          batchFirst: false,
          zeroInitialState: true,
          spare: 0,
          gradientLimit: Infinity,
          gain: 1,
          seed,
        });
      }
    }
    expect(campaign.configurations).toBeGreaterThan(15);
  });

  it.each([
    ['alone', [LAYER]],
    // It reads whole vectors of what it stands on.
    [
      'before a convolution',
      [
        { ...LAYER, scale: false },
        { type: 'convTranspose1d', outChannels: WIDTH, kernelSize: 1 },
      ],
    ],
  ] as const)('what lies beside rows of inputs has no part, %s', (_, layers) => {
    const { model, trainer } = create(layers);
    trainer.forward(x);
    trainer.backward({ target });
    const all = [...trainer.gradients().values()].flatMap(({ data }) => [...data]);
    expect(Math.abs(trainer.update().gradNorm / Math.hypot(...all) - 1)).toBeLessThan(1e-6);
    const before = model.stateDict();
    trainer.trainOn(x, target);
    requireSame(model.stateDict(), before, () => false);
    trainer.dispose();
    model.dispose();
  });

  it('snapshots and files bring the statistics along, to the bit', () => {
    const layers = [LAYER, { type: 'gru', hiddenSize: 4 }] as const;
    const wanted = numbers(4, steps * batch * 4);
    const first = create(layers);
    const train = ({ trainer }: typeof first, seed: number): void => {
      trainer.trainOn(numbers(seed, x.length), wanted);
    };
    for (let seed = 0; seed < 3; seed++) train(first, seed);
    const second = create(layers);
    // What it had gathered itself is forgotten.
    second.trainer.restore(first.trainer.snapshot());
    for (let seed = 3; seed < 6; seed++) [first, second].forEach((each) => train(each, seed));
    requireSame(first.model.stateDict(), second.model.stateDict(), () => true);
    const third = loadModel(engine, saveModel(first.model));
    requireSame(first.model.stateDict(), third.stateDict(), () => true);
    [first, second].forEach(({ trainer }) => trainer.dispose());
    [first.model, second.model, third].forEach((model) => model.dispose());
  });

  it('a budget that cuts windows is refused by name, unless the layer is frozen', () => {
    const long = { steps: 200 };
    const layers = (frozen: boolean): LayerSpec[] => [
      { type: 'gru', inputSize: WIDTH, hiddenSize: 8 },
      { type: 'batchNorm', name: 'middle', frozen },
    ];
    const { trainer } = create(layers(false), long);
    const whole = trainer.bytes;
    trainer.dispose();
    const refused = (maxBytes: number): GatefoldError => {
      try {
        create(layers(false), { ...long, maxBytes });
      } catch (error) {
        return error as GatefoldError;
      }
      throw new Error('not refused');
    };
    const error = refused(Math.round(whole / 2));
    expect(error.code).toBe('ERR_UNSUPPORTED');
    expect(error.message).toMatch(/"maxBytes" of .*"middle".*more bytes.*frozen: true/);
    const bytes = Number(/which take (\d+)/.exec(error.message)![1]);
    expect(refused(bytes - 1).code).toBe('ERR_UNSUPPORTED');
    create(layers(false), { ...long, maxBytes: bytes }).trainer.dispose();
    create(layers(true), { ...long, maxBytes: Math.round(whole / 2) }).trainer.dispose();
  });

  it('a running variance stays finite, so that its snapshot can be restored', () => {
    const { model, trainer } = create([LAYER], { onNonFinite: 'skip' });
    trainer.trainOn(
      x.map((value) => value * 3e38),
      target,
    );
    const [, variance] = statisticsOf(model);
    expect([...variance!].every(Number.isFinite)).toBe(true);
    trainer.restore(trainer.snapshot());
    trainer.dispose();
    model.dispose();
  });

  it('the flow of gradients is that of inference', () => {
    const layers = [LAYER, { type: 'lstm', hiddenSize: 4 }] as const;
    const model = Model.create(engine, { layers }, { seed: 1 });
    const flow = gradientFlow(model, {
      x,
      target: numbers(3, steps * batch * 4),
      steps,
      batch,
      loss: 'mse',
    });
    expect(flow['lstm']!.h.every((value) => value > 0)).toBe(true);
    expect(statisticsOf(model)[0]!.every((value) => value === 0)).toBe(true);
    model.dispose();
  });
});
