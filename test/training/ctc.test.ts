/**
 * CTC against a sum over all alignments and against the float64 recursion, whose gradient is proved
 * by differences.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, Trainer, greedyCtc, labelErrorRate, type Engine } from '../../src/hosts/default.ts';
import { ctc, ctcByAlignments } from '../reference/ctc.ts';
import type { Vec } from '../reference/math.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom, type Random } from '../support/random.ts';

function randomLabels(random: Random, count: number, classes: number, blank: number): number[] {
  return Array.from({ length: count }, () => {
    const label = random.integer(0, classes - 2);
    return label < blank ? label : label + 1;
  });
}

describe('the reference', () => {
  it('is the sum over all alignments, impossible and empty targets among them', () => {
    let impossible = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed);
      const [steps, classes] = [random.integer(1, 5), random.integer(2, 4)];
      const blank = random.integer(0, classes - 1);
      const labels = randomLabels(random, random.integer(0, 3), classes, blank);
      const x = random.vector(steps * classes, 2);
      const wanted = ctcByAlignments(x, classes, labels, blank);
      const { loss } = ctc(x, classes, labels, blank);
      if (wanted === Infinity) {
        impossible++;
        expect(loss).toBe(Infinity);
      } else expect(Math.abs(loss - wanted)).toBeLessThan(1e-12 * Math.max(1, wanted));
    }
    expect(impossible).toBeGreaterThan(10);
  });

  it('has the gradient that differences have', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = createRandom(seed);
      const [steps, classes] = [random.integer(4, 8), random.integer(2, 5)];
      const labels = randomLabels(random, random.integer(0, 2), classes, 0);
      const x = random.vector(steps * classes, 2);
      const { gradient } = ctc(x, classes, labels, 0);
      for (let k = 0; k < x.length; k++) {
        const kept = x[k]!;
        const at = (value: number): number => {
          x[k] = value;
          return ctc(x, classes, labels, 0).loss;
        };
        const numeric = (at(kept + 1e-6) - at(kept - 1e-6)) / 2e-6;
        x[k] = kept;
        expect(Math.abs(numeric - gradient[k]!)).toBeLessThan(1e-5 + 1e-3 * Math.abs(numeric));
      }
    }
  });
});

/** A linear layer that copies: the logits are the inputs, and dL/dx their gradient. */
function copying(engine: Engine, classes: number): Model {
  const model = Model.create(engine, {
    layers: [{ type: 'linear', inFeatures: classes, outFeatures: classes, bias: false }],
  });
  const data = Float32Array.from({ length: classes ** 2 }, (_, k) =>
    Number(k % (classes + 1) === 0),
  );
  model.loadStateDict(new Map([['linear.weight', { shape: [classes, classes], data }]]));
  return model;
}

describe.each(variants)('the kernel, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it('agrees with the reference, loss and gradient, on ragged batches', () => {
    for (let seed = 0; seed < 150; seed++) {
      const random = createRandom(1000 + seed);
      const [steps, batch, classes] = [
        random.integer(1, 24),
        random.integer(1, 5),
        random.integer(2, 9),
      ];
      const blank = random.integer(0, classes - 1);
      const lengths = Array.from({ length: batch }, () => random.integer(1, steps));
      lengths[0] = steps;
      const targets = lengths.map((length) =>
        randomLabels(random, random.integer(0, Math.ceil(length / 2)), classes, blank),
      );
      const width = Math.max(...targets.map((labels) => labels.length));
      const labels = new Int32Array(batch * width).fill(-7);
      targets.forEach((row, b) => labels.set(row, b * width));
      const x = Float32Array.from(random.vector(steps * batch * classes, random.pick([1, 5, 40])));

      const wanted = new Float64Array(x.length);
      let loss = 0;
      targets.forEach((row, b) => {
        const mine: Vec = Float64Array.from({ length: lengths[b]! * classes }, (_, k) => {
          return x[(Math.floor(k / classes) * batch + b) * classes + (k % classes)]!;
        });
        const result = ctc(mine, classes, row, blank);
        const share = 1 / (batch * Math.max(1, row.length));
        if (result.loss === Infinity) return;
        loss += share * result.loss;
        result.gradient.forEach((slope, k) => {
          wanted[(Math.floor(k / classes) * batch + b) * classes + (k % classes)] = share * slope;
        });
      });
      const model = copying(engine, classes);
      const trainer = Trainer.create(model, {
        batch,
        steps,
        loss: { type: 'ctc', blank, zeroInfinity: true },
      });
      trainer.forward(x, { lengths });
      const given = { target: labels, targetLengths: targets.map((row) => row.length) };
      const result = trainer.backward(given);
      expect(Math.abs(result.loss! - loss)).toBeLessThan(1e-6 * Math.max(1, loss));
      for (let k = 0; k < x.length; k++) {
        expect(Math.abs(result.input![k]! - wanted[k]!), `seed ${seed}, ${k}`).toBeLessThan(1e-6);
      }
      model.dispose();
    }
  });

  it('keeps its exactness where every alignment is hopeless, and over 2,000 steps', () => {
    const classes = 3;
    const model = copying(engine, classes);
    const trainer = Trainer.create(model, { batch: 1, steps: 2000, loss: 'ctc' });
    // Each label costs 60 nats whenever it is said, in 20 places: e^-1200, which float64 has not.
    const x = Float32Array.from({ length: 2000 * classes }, (_, k) => (k % classes === 0 ? 60 : 0));
    const labels = Int32Array.from({ length: 20 }, (_, k) => 1 + (k % 2));
    const loss = trainer.evaluateWindow(x, labels, { targetLengths: [20] });
    // The blank everywhere but at 20 chosen steps, or a label held longer: (2000 over 20) ways to
    // leading order.
    let ways = 0;
    for (let k = 0; k < 20; k++) ways += Math.log((2000 - k) / (k + 1));
    expect(Math.abs(loss * 20 - (1200 - ways))).toBeLessThan(1e-3);
    model.dispose();
  });

  it('the small loss of a row that is nearly sure keeps its digits', () => {
    const said = [0, 2, 2, 0, 1];
    const model = copying(engine, 3);
    const trainer = Trainer.create(model, { batch: 1, steps: said.length, loss: 'ctc' });
    for (const gap of [10, 15, 20]) {
      const x = Float32Array.from(said.flatMap((k) => [0, 1, 2].map((j) => (j === k ? gap : 0))));
      const { loss: wanted } = ctc(Float64Array.from(x), 3, [2, 1], 0);
      const loss = trainer.evaluateWindow(x, Int32Array.of(2, 1), { targetLengths: [2] });
      expect(Math.abs(2 * loss - wanted), String(gap)).toBeLessThan(1e-6 * wanted);
    }
    model.dispose();
  });

  it('says what does not fit, or counts it as nothing', () => {
    const x = new Float32Array(2 * 3);
    const labels = Int32Array.of(1, 1);
    const create = (zeroInfinity: boolean): Trainer =>
      Trainer.create(copying(engine, 3), {
        batch: 1,
        steps: 2,
        loss: { type: 'ctc', zeroInfinity },
      });
    // A label twice needs a blank between: three steps.
    const options = { targetLengths: [2] };
    expect(() => create(false).trainOn(x, labels, options)).toThrow(/the loss is Infinity/);
    expect(create(true).trainOn(x, labels, options).loss).toBe(0);
    expect(() => create(false).trainOn(x, labels)).toThrow(/"targetLengths" expected 1 numbers/);
    expect(() => create(false).trainOn(x, Int32Array.of(0, 1), options)).toThrow(
      /labels from 0 to 2 but 0, the blank, got 0 in row 0/,
    );
    expect(() => create(false).trainOn(x, Int32Array.of(3, 1), options)).toThrow(/got 3 in row 0/);
    expect(() => create(false).trainOn(x, labels, { targetLengths: [3] })).toThrow(/from 0 to 2/);
  });

  it('learns to transcribe: which half of the classes spoke, however long', () => {
    const random = createRandom(3);
    const model = Model.create(
      engine,
      {
        layers: [
          { type: 'gru', inputSize: 4, hiddenSize: 16 },
          { type: 'linear', outFeatures: 5 },
        ],
      },
      { seed: 1 },
    );
    const [steps, batch] = [20, 8];
    const trainer = Trainer.create(model, {
      batch,
      steps,
      loss: 'ctc',
      optimizer: { type: 'adam', lr: 0.02 },
    });
    const draw = (): { x: Float32Array; labels: Int32Array; rows: number[][] } => {
      const x = new Float32Array(steps * batch * 4);
      const rows = Array.from({ length: batch }, (_, b) => {
        const said = Array.from({ length: 3 }, () => random.integer(1, 4));
        let t = 0;
        for (const label of said) {
          t += random.integer(1, 3);
          for (let held = random.integer(1, 3); held > 0; held--, t++) {
            x[(t * batch + b) * 4 + label - 1] = 1;
          }
        }
        return said;
      });
      return { x, labels: Int32Array.from(rows.flat()), rows };
    };
    const targetLengths = Array.from({ length: batch }, () => 3);
    for (let update = 0; update < 150; update++) {
      const { x, labels } = draw();
      trainer.resetState();
      trainer.trainOn(x, labels, { targetLengths });
    }
    const { x, rows } = draw();
    const { output } = model.forward(x, { steps, batch });
    expect(labelErrorRate(greedyCtc(output, { steps, batch }), rows)).toBeLessThan(0.05);
    model.dispose();
  });
});

describe('greedyCtc and labelErrorRate', () => {
  it('takes the best path, repetitions once and blanks away', () => {
    const path = [0, 1, 1, 0, 1, 2, 2, 0];
    const logits = Float32Array.from(
      path.flatMap((best) => [0, 1, 2].map((k) => Number(k === best))),
    );
    expect(greedyCtc(logits, { steps: 8 })).toEqual([[1, 1, 2]]);
    expect(greedyCtc(logits, { steps: 8, lengths: [3] })).toEqual([[1]]);
    expect(greedyCtc(logits, { steps: 4, batch: 2, batchFirst: true })).toEqual([[1], [1, 2]]);
    expect(greedyCtc(logits, { steps: 8, blank: 1 })).toEqual([[0, 0, 2, 0]]);
  });

  it('counts what it takes to put it right', () => {
    expect(labelErrorRate([[1, 2, 3]], [[1, 2, 3]])).toBe(0);
    expect(labelErrorRate([[1, 3]], [[1, 2, 3, 3]])).toBe(0.5);
    expect(labelErrorRate([[], [4, 4]], [[1], [4]])).toBe(1);
  });
});
