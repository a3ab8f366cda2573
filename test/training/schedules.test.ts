import { describe, expect, it } from 'vitest';
import {
  Engine,
  Model,
  ReduceOnPlateau,
  Trainer,
  cosineDecay,
  linearDecay,
  stepDecay,
  type GradClip,
} from '../../src/hosts/default.ts';
import { createRandom } from '../support/random.ts';

describe('schedules', () => {
  it('linear goes to zero, steps multiply', () => {
    expect([0, 5, 10].map((update) => linearDecay(2)(update, 10))).toEqual([2, 1, 0]);
    const steps = stepDecay(1, { every: 3, factor: 0.5 });
    expect([0, 2, 3, 5, 6].map((update) => steps(update, 9))).toEqual([1, 1, 0.5, 0.5, 0.25]);
  });

  it('cosine is the cosine, behind its warm-up', () => {
    const [warmup, updates, floor] = [10, 110, 0.1];
    const schedule = cosineDecay(2, { warmup, floor });
    expect(schedule(0, updates)).toBeCloseTo(0.2, 12);
    expect(schedule(9, updates)).toBe(2);
    for (let update = warmup; update <= updates; update++) {
      const exact = floor + (1.9 * (1 + Math.cos((Math.PI * (update - warmup)) / 100))) / 2;
      expect(Math.abs(schedule(update, updates) - exact)).toBeLessThan(1e-7);
    }
  });

  it('a plateau lowers the rate once patience has run out', () => {
    const plateau = new ReduceOnPlateau(1, { factor: 0.5, patience: 1 });
    const rates = [3, 2, 2, 2.5, 2, 2, 1].map((loss) => plateau.report(loss));
    expect(rates).toEqual([1, 1, 1, 0.5, 0.5, 0.25, 0.25]);
  });

  it('refuse what makes no sense', () => {
    expect(() => linearDecay(NaN)).toThrow(/rate/);
    expect(() => stepDecay(1, { every: 0, factor: 0.5 })).toThrow(/every/);
    expect(() => cosineDecay(1, { warmup: -1 })).toThrow(/warmup/);
  });
});

describe('clipping of gradients', () => {
  const engine = Engine.createSync({ simd: 'deterministic' });
  const layers = [
    { type: 'gru', inputSize: 3, hiddenSize: 6 },
    { type: 'linear', outFeatures: 2 },
  ] as const;
  const random = createRandom(3);
  const x = Float32Array.from(random.vector(15, 1));
  const target = Float32Array.from(random.vector(10, 20));
  /** The gradients, and how far plain descent of rate 1 then moves the parameters. */
  function moved(gradClip?: GradClip): { gradients: number[][]; moves: number[][] } {
    const model = Model.create(engine, { layers }, { seed: 6 });
    const before = [...model.stateDict().values()].map(({ data }) => data);
    const optimizer = { type: 'sgd', lr: 1 } as const;
    const trainer = Trainer.create(model, { batch: 1, steps: 5, loss: 'mse', optimizer, gradClip });
    trainer.trainOn(x, target);
    const after = [...model.stateDict().values()].map(({ data }) => data);
    const moves = before.map((data, k) => Array.from(data, (value, i) => value - after[k]![i]!));
    return { gradients: [...trainer.gradients().values()].map(({ data }) => [...data]), moves };
  }
  const plain = moved();

  it('by value bounds every number', () => {
    const bound = 0.3;
    const expected = plain.gradients.map((g) => g.map((v) => Math.max(-bound, Math.min(bound, v))));
    expect(plain.gradients.flat().some((v) => Math.abs(v) > bound)).toBe(true);
    moved({ value: bound }).moves.forEach((move, k) => {
      move.forEach((value, i) => expect(value).toBeCloseTo(expected[k]![i]!, 5));
    });
  });

  it('by tensor bounds the norm of each parameter on its own', () => {
    const bound = 2;
    const norms = plain.gradients.map((g) => Math.hypot(...g));
    expect(norms.some((norm) => norm > bound) && norms.some((norm) => norm < bound)).toBe(true);
    moved({ tensorNorm: bound }).moves.forEach((move, k) => {
      const scale = bound / Math.max(bound, norms[k]!);
      move.forEach((value, i) => expect(value).toBeCloseTo(scale * plain.gradients[k]![i]!, 5));
    });
  });

  it('at every step keeps what would explode on its way back', () => {
    const steps = 60;
    const bound = 0.01;
    const layers = [{ type: 'rnn', nonlinearity: 'relu', inputSize: 1, hiddenSize: 1 }] as const;
    const model = Model.create(engine, { layers });
    const of = (value: number): { shape: number[]; data: Float32Array } => ({
      shape: [1],
      data: Float32Array.of(value),
    });
    const matrix = (value: number): { shape: number[]; data: Float32Array } => ({
      ...of(value),
      shape: [1, 1],
    });
    // h = 2 h' + 0: whatever stands at the end is worth 2^60 at the start.
    model.loadStateDict(
      new Map([
        ['rnn.weight_ih_l0', matrix(1)],
        ['rnn.weight_hh_l0', matrix(2)],
        ['rnn.bias_ih_l0', of(0)],
        ['rnn.bias_hh_l0', of(0)],
      ]),
    );
    const back = (gradClip?: GradClip): Float32Array => {
      const trainer = Trainer.create(model, { batch: 1, steps, gradClip });
      trainer.forward(new Float32Array(steps).fill(1e-6));
      const output = new Float32Array(steps);
      output[steps - 1] = 1;
      return trainer.backward({ output }).input!;
    };
    expect(back()[0]).toBe(2 ** 59);
    expect(new Set(back({ step: bound }))).toEqual(new Set([Math.fround(bound)]));
  });

  it('takes one way at a time', () => {
    expect(() => moved({ norm: 1, value: 1 } as GradClip)).toThrow(/one of/);
    expect(() => moved({} as GradClip)).toThrow(/one of/);
  });
});
