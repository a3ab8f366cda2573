/**
 * Every loss of rows and its gradient against the float64 reference, whose gradient is proved by
 * differences: the kernels alone on random shapes, and the mean that a trainer makes of them.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { LOSS_CLASSES, PART_LOSS } from '../../assembly/shared/codes.ts';
import { kernelsOf } from '../../src/engine/engine.ts';
import { NONE, Plan } from '../../src/engine/plan.ts';
import type { Descriptor, Slot } from '../../src/engine/plan.ts';
import { GatefoldError, Model, Trainer, type LossChoice } from '../../src/hosts/default.ts';
import { crossEntropyOf, meanOf } from '../reference/loss.ts';
import { createEngine, variants } from '../support/engines.ts';
import { ATOL, slope } from '../support/gradcheck.ts';
import { rowLosses, targetWidth, type RowLossCase } from '../support/losses.ts';
import { createRandom, type Random } from '../support/random.ts';

const cases = Object.entries(rowLosses);

/** Rows of outputs, targets and what the reference makes of each row. */
function drawRows(random: Random, loss: RowLossCase, rows: number, width: number) {
  const y = Float32Array.from(random.vector(rows * width, random.pick([1, 4, 30])));
  const each = targetWidth(loss, width);
  const targets = Float32Array.from({ length: rows * each }, () => loss.target(random, width));
  const expected = Array.from({ length: rows }, (_, r) =>
    loss.reference(
      Float64Array.from(y.subarray(r * width, (r + 1) * width)),
      targets.subarray(r * each, (r + 1) * each),
    ),
  );
  return { y, targets, expected };
}

describe('the reference', () => {
  it.each(cases)('%s: its gradient is that of differences', (name, draw) => {
    let checked = 0;
    for (let seed = 0; seed < 40; seed++) {
      const random = createRandom(seed);
      const [rows, width] = [random.integer(1, 5), random.integer(1, 6)];
      const loss = draw(random, width);
      const each = targetWidth(loss, width);
      const y = random.vector(rows * width, 3);
      const target = Array.from({ length: rows * each }, () => loss.target(random, width));
      const mean = meanOf(loss.reference, width, each);
      const { gradient } = mean(y, target);
      for (let k = 0; k < y.length; k++) {
        // The slope of an absolute difference jumps at 0.
        if (name === 'mae' && Math.abs(y[k]! - target[k]!) < 1e-5) continue;
        checked++;
        const difference = Math.abs(slope(y, k, () => mean(y, target).loss) - gradient[k]!);
        expect(difference, `seed ${seed}, ${k}`).toBeLessThan(ATOL);
      }
    }
    expect(checked).toBeGreaterThan(200);
  });
});

describe.each(variants)('losses, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const kernels = kernelsOf(engine);
  afterAll(() => engine.dispose());

  /** A described loss of `rows` rows in memory that is not zero, and its numbers afterwards. */
  function withRows<T>(
    loss: RowLossCase,
    { y, targets }: { y: Float32Array; targets: Float32Array },
    [rows, width, row]: readonly [rows: number, width: number, row: number],
    scale: number,
    use: (places: { descriptor: Descriptor<'Loss'>; outputs: Slot; losses: Slot }) => T,
  ): T {
    const plan = new Plan();
    const descriptor = plan.descriptor('Loss');
    const [outputs, losses] = [plan.reserve(rows * row), plan.reserve(rows)];
    const [target, weights] = [plan.reserve(targets.length), plan.reserve(width)];
    const block = kernels.arena.allocate(plan.bytes, 'a test');
    plan.place(block);
    kernels.floats(outputs).fill(77);
    for (let r = 0; r < rows; r++) {
      kernels.floats(outputs, r * row, width).set(y.subarray(r * width, (r + 1) * width));
    }
    if (loss.kind === LOSS_CLASSES) kernels.integers(target).set(targets);
    else kernels.floats(target).set(targets);
    const { classWeights, ignoreIndex, delta } = {
      classWeights: undefined,
      ignoreIndex: -100,
      delta: 1,
      ...loss.options,
    };
    if (classWeights) kernels.floats(weights).set(classWeights);
    kernels.write(descriptor, {
      kind: loss.kind,
      rows,
      width,
      outputs,
      outputRow: row * 4,
      targets: target,
      losses,
      scale,
      weights: classWeights ? weights : NONE,
      ignored: ignoreIndex,
      delta,
    });
    try {
      return use({ descriptor, outputs, losses });
    } finally {
      kernels.arena.free(block);
    }
  }

  it.each(cases)('%s: the kernel on random rows, whole and in parts', (_, draw) => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = createRandom(seed);
      const [rows, width] = [random.integer(1, 20), random.integer(1, 70)];
      const padded = Math.ceil(width / 4) * 4;
      const row = padded + 4 * random.integer(0, 2);
      const loss = draw(random, width);
      const drawn = drawRows(random, loss, rows, width);
      const { expected } = drawn;
      const scale = random.pick([1, 0.01]);
      const shape = [rows, width, row] as const;
      const whole = withRows(loss, drawn, shape, scale, ({ descriptor, outputs, losses }) => {
        const weight = expected.reduce((sum, own) => sum + own.weight, 0);
        expect(kernels.run.loss_weight(descriptor.address, 3)).toBe(weight + 3);
        kernels.run.loss_rows(descriptor.address);
        return [kernels.floats(losses).slice(), kernels.floats(outputs).slice()] as const;
      });
      const [losses, slopes] = whole;
      for (const [r, own] of expected.entries()) {
        // A row is one chain of up to 70 float32 sums.
        const most = 3e-6 * Math.max(1, Math.abs(own.loss));
        expect(Math.abs(losses[r]! - own.loss), `seed ${seed}, row ${r}`).toBeLessThan(most);
        const errors = Array.from({ length: row }, (__, k) => {
          const got = slopes[r * row + k]!;
          if (k >= padded) return Number(got !== 77);
          if (k >= width) return Number(got !== 0);
          const slope = own.gradient[k]!;
          return Math.abs(got - scale * slope) / scale / Math.max(1, Math.abs(slope));
        });
        expect(Math.max(...errors), `seed ${seed}, row ${r}`).toBeLessThan(1e-6);
      }
      const parts = random.integer(2, 5);
      const cut = withRows(loss, drawn, shape, scale, (places) => {
        for (let part = parts - 1; part >= 0; part--) {
          kernels.run.part_run(PART_LOSS, places.descriptor.address, part, parts);
        }
        const { outputs } = places;
        return [kernels.floats(places.losses).slice(), kernels.floats(outputs).slice()] as const;
      });
      expect(cut).toEqual(whole);
    }
  });

  it('small losses and their gradients keep their digits', () => {
    const least = 1e-6;
    const near = (label: string, got: number, wanted: number): void => {
      expect(Math.abs(got - wanted), label).toBeLessThanOrEqual(least * Math.abs(wanted));
    };
    const check = (
      loss: RowLossCase,
      y: Float32Array,
      targets: Float32Array,
      shape: readonly [rows: number, width: number, row: number],
    ): void => {
      const [rows, width, row] = shape;
      withRows(loss, { y, targets }, shape, 1, ({ descriptor, losses, outputs }) => {
        kernels.run.loss_rows(descriptor.address);
        for (let r = 0; r < rows; r++) {
          const own = Float64Array.from(y.subarray(r * width, (r + 1) * width));
          const expected = loss.reference(own, targets.subarray(r));
          const label = `${own.join()} for ${targets[r]}`;
          near(label, kernels.floats(losses)[r]!, expected.loss);
          for (let k = 0; k < width; k++) {
            const got = kernels.floats(outputs)[r * row + k]!;
            near(`${label}: gradient ${k}`, got, expected.gradient[k]!);
          }
        }
      });
    };
    const random = createRandom(1);
    const far = [-20, -10, -4, 4, 10, 20].flatMap((x) => [0, 1, 0.25].map((t) => [x, t]));
    const [y, targets] = [0, 1].map((k) => Float32Array.from(far, (pair) => pair[k]!));
    check(rowLosses.bce(random, 1), y!, targets!, [far.length, 1, 4]);
    // The likeliest class, the one after it, and three that hardly count.
    const logits = [10, 20].flatMap((gap) => [2 + gap, 2, 1, -3, -5]);
    for (const chosen of [0, 1]) {
      const loss = { ...rowLosses['cross-entropy'](random, 5), reference: crossEntropyOf() };
      const plain = { ...loss, options: { type: 'cross-entropy' } as const };
      check(plain, Float32Array.from(logits), Float32Array.of(chosen, chosen), [2, 5, 8]);
    }
  });

  const [steps, batch, outputs] = [5, 3, 7];
  const rows = steps * batch;
  const elements = rows * outputs;
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

  it.each(cases)('%s: the mean of a trainer', (_, draw) => {
    const model = identity();
    const optimizer = { type: 'sgd', lr: 0 } as const;
    for (let seed = 1; seed <= 25; seed++) {
      const random = createRandom(seed);
      const loss = draw(random, outputs);
      const trainer = Trainer.create(model, { batch, steps, loss: loss.options, optimizer });
      const { y, targets } = drawRows(random, loss, rows, outputs);
      const isOfClasses = loss.kind === LOSS_CLASSES;
      const target = isOfClasses ? Int32Array.from(targets) : targets;
      const mean = meanOf(loss.reference, outputs, targetWidth(loss, outputs));
      const expected = mean(Float64Array.from(y), targets);
      const { loss: got } = trainer.trainOn(y, target);
      expect(Math.abs(got - expected.loss), `seed ${seed}`).toBeLessThan(
        1e-6 * Math.max(1, expected.loss),
      );
      const slopes = trainer.gradients().get('linear.bias')!.data;
      for (let k = 0; k < outputs; k++) {
        const wanted = expected.gradient.reduce((a, g, i) => a + (i % outputs === k ? g : 0), 0);
        expect(Math.abs(slopes[k]! - wanted), `seed ${seed}, column ${k}`).toBeLessThan(1e-6);
      }
      trainer.dispose();
    }
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
    const nothing = { loss: 0, gradNorm: 0, finite: true, skipped: true, infiniteRows: 0 };
    expect(report).toEqual(nothing);
    expect([ignoring.skipped, ignoring.updates]).toEqual([1, 0]);
  });

  it('refuses what is no loss or no target, with the fix', () => {
    const model = identity();
    const create = (loss: unknown) => () =>
      Trainer.create(model, { batch, steps, loss: loss as LossChoice });
    const weights = [0.5, 2, 0, 3, 1, 0.25];
    for (const loss of [
      'mean',
      'toString',
      { type: 'mse', delta: 1 },
      { type: 'huber', delta: 0 },
      { type: 'cross-entropy', classWeights: [1] },
      { type: 'cross-entropy', classWeights: [...weights, -1] },
      null,
    ]) {
      expect(create(loss), JSON.stringify(loss)).toThrow(GatefoldError);
    }
    expect(create({ type: 'cross-entropy', classWeights: [...weights, 1] })).not.toThrow();
    const trainer = create('cross-entropy')();
    // The smallest is what the kernels take for none where no target is ignored.
    for (const target of [7, -1, -100, -(2 ** 31)]) {
      const step = () =>
        trainer.trainOn(new Float32Array(elements), new Int32Array(rows).fill(target));
      expect(step, String(target)).toThrow(/0 to 6/);
    }
  });
});
