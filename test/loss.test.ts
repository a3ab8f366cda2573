/**
 * Every loss and its gradient against float64 written from the formulas, on random rows; the
 * gradient also by differences.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, type LossChoice } from '../src/hosts/default.ts';
import { createEngine, variants } from './support/engines.ts';
import { createRandom } from './support/random.ts';

type Rows = ArrayLike<number>;
const [steps, batch, outputs] = [5, 3, 7];
const rows = steps * batch;
const elements = rows * outputs;

/** Mean over all elements of f. */
const mean =
  (f: (x: number, target: number) => number) =>
  (y: Rows, target: Rows): number =>
    Array.from(y).reduce((sum, x, k) => sum + f(x, target[k]!) / y.length, 0);

function crossEntropy(weights?: readonly number[], ignored?: number) {
  return (y: Rows, target: Rows): number => {
    let [sum, count] = [0, 0];
    for (let row = 0; row < target.length; row++) {
      const chosen = target[row]!;
      if (chosen === ignored) continue;
      const logits = Array.from({ length: outputs }, (_, k) => y[row * outputs + k]!);
      const weight = weights?.[chosen] ?? 1;
      const total = logits.reduce((all, x) => all + Math.exp(x), 0);
      sum += weight * (Math.log(total) - logits[chosen]!);
      count += weight;
    }
    return count ? sum / count : 0;
  };
}

const huber = (delta: number) =>
  mean((x, t) => {
    const d = Math.abs(x - t);
    return d <= delta ? (d * d) / 2 : delta * (d - delta / 2);
  });
const weights = [1, 0.5, 2, 0, 3, 1, 0.25];
const cases: [
  string,
  LossChoice,
  (y: Rows, target: Rows) => number,
  'classes' | 'values' | 'chances',
][] = [
  ['cross-entropy', 'cross-entropy', crossEntropy(), 'classes'],
  [
    'class weights',
    { type: 'cross-entropy', classWeights: weights },
    crossEntropy(weights),
    'classes',
  ],
  [
    'an ignored class',
    { type: 'cross-entropy', ignoreIndex: 2 },
    crossEntropy(undefined, 2),
    'classes',
  ],
  [
    'weights and an ignored class',
    { type: 'cross-entropy', classWeights: weights, ignoreIndex: 4 },
    crossEntropy(weights, 4),
    'classes',
  ],
  ['mse', 'mse', mean((x, t) => (x - t) ** 2), 'values'],
  ['mae', 'mae', mean((x, t) => Math.abs(x - t)), 'values'],
  ['huber', { type: 'huber', delta: 0.4 }, huber(0.4), 'values'],
  ['huber by default', 'huber', huber(1), 'values'],
  [
    'bce',
    'bce',
    mean((x, t) => Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x)))),
    'chances',
  ],
];

describe.each(variants)('losses, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());
  /**
   * y = x through an identity, so that the bias' gradient is the column sums of the loss' gradient.
   */
  const identity = (): Model => {
    const model = Model.create(engine, {
      layers: [{ type: 'linear', inFeatures: outputs, outFeatures: outputs }],
    });
    const weight = new Float32Array(outputs * outputs);
    for (let k = 0; k < outputs; k++) weight[k * outputs + k] = 1;
    model.loadStateDict(
      new Map([
        ['linear.weight', { shape: [outputs, outputs], data: weight }],
        ['linear.bias', { shape: [outputs], data: new Float32Array(outputs) }],
      ]),
    );
    return model;
  };

  it.each(cases)('%s', (_, loss, formula, kind) => {
    const model = identity();
    const optimizer = { type: 'sgd', lr: 0 } as const;
    const trainer = Trainer.create(model, { batch, steps, loss, optimizer });
    for (let seed = 1; seed <= 25; seed++) {
      const random = createRandom(seed);
      const x = Float32Array.from(random.vector(elements, 4));
      const target =
        kind === 'classes'
          ? Int32Array.from({ length: rows }, () => random.integer(0, outputs - 1))
          : Float32Array.from({ length: elements }, () =>
              kind === 'values' ? random.around(4) : random.unit(),
            );
      const expected = formula(x, target);
      const { loss: got } = trainer.trainOn(x, target);
      expect(Math.abs(got - expected), `seed ${seed}`).toBeLessThan(1e-6 * Math.max(1, expected));
      const slopes = trainer.gradients().get('linear.bias')!.data;
      for (let k = 0; k < outputs; k++) {
        const shifted = (by: number): number =>
          formula(
            Float64Array.from(x, (v, i) => v + (i % outputs === k ? by : 0)),
            target,
          );
        const slope = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
        expect(Math.abs(slopes[k]! - slope), `seed ${seed}, column ${k}`).toBeLessThan(1e-5);
      }
    }
    trainer.dispose();
    model.dispose();
  });

  it('large logits stay finite, and a window in which nothing counts has no loss and no gradient', () => {
    const trainer = (loss: LossChoice): Trainer =>
      Trainer.create(identity(), { batch, steps, loss });
    const far = new Float32Array(elements).fill(-300);
    far[0] = 300;
    expect(trainer('bce').evaluateWindow(far, new Float32Array(elements))).toBeCloseTo(
      300 / elements,
      4,
    );
    const classes = new Int32Array(rows).fill(1);
    expect(trainer('cross-entropy').evaluateWindow(far, classes)).toBeCloseTo(
      (600 + (rows - 1) * Math.log(7)) / rows,
      3,
    );
    const ignoring = trainer({ type: 'cross-entropy', ignoreIndex: -100 });
    const report = ignoring.trainOn(far, new Int32Array(rows).fill(-100));
    expect(report).toEqual({ loss: 0, gradNorm: 0, finite: true });
  });

  it('refuses what is no loss or no target, with the fix', () => {
    const model = identity();
    const create = (loss: unknown) => () =>
      Trainer.create(model, { batch, steps, loss: loss as LossChoice });
    for (const loss of [
      'mean',
      { type: 'mse', delta: 1 },
      { type: 'huber', delta: 0 },
      { type: 'cross-entropy', classWeights: [1] },
      { type: 'cross-entropy', classWeights: [...weights.slice(1), -1] },
      null,
    ]) {
      expect(create(loss), JSON.stringify(loss)).toThrow(GatefoldError);
    }
    const trainer = create('cross-entropy')();
    // The smallest is what the kernels take for none where no target is ignored.
    for (const target of [7, -1, -100, -(2 ** 31)]) {
      const step = () =>
        trainer.trainOn(new Float32Array(elements), new Int32Array(rows).fill(target));
      expect(step, String(target)).toThrow(/0 to 6/);
    }
  });
});
