/**
 * The norms of the gradients on their way back, against float64: dL/dh and dL/dc after step t are the gradients of the initial state of
 * the rest of the sequence, and what the output of step t itself adds.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, Trainer } from '../src/index.ts';
import { zeroState } from './reference/layers.ts';
import { backward, forward, type Parameters, type State } from './reference/network.ts';
import { createEngine, variants } from './support/engines.ts';
import { createRandom } from './support/random.ts';

const STEPS = 7;
const norm = (x: ArrayLike<number>): number =>
  Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
const layers = [
  { type: 'rnn', inputSize: 3, hiddenSize: 5 },
  { type: 'gru', inputSize: 3, hiddenSize: 5 },
  { type: 'gru', inputSize: 3, hiddenSize: 5, resetAfter: false },
  { type: 'lstm', inputSize: 3, hiddenSize: 5 },
] as const;

describe.each(variants)('gradient flow, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it.each(layers)('$type is that of the reference at every step', (layer) => {
    const description = { layers: [layer] };
    const model = Model.create(engine, description, { seed: 2 });
    const trainer = Trainer.create(model, { batch: 1, steps: STEPS });
    const random = createRandom(5);
    const x = Float32Array.from(random.vector(STEPS * 3, 1));
    const dOutput = Float32Array.from(random.vector(STEPS * 5, 1));
    trainer.forward(x);
    const { flow } = trainer.backward({ output: dOutput, flow: true });
    const { h, c } = flow![layer.type]!;

    const parameters: Parameters = new Map(
      [...model.stateDict()].map(([key, { shape, data }]) => [
        key,
        { shape, data: Float64Array.from(data) },
      ]),
    );
    const dims = (steps: number): { steps: number; batch: number } => ({ steps, batch: 1 });
    for (let t = 0; t < STEPS; t++) {
      const zero = zeroState(description, 1);
      const before = forward(
        description,
        parameters,
        x.subarray(0, 3 * (t + 1)),
        dims(t + 1),
        zero,
      ).state;
      let rest: State = zeroState(description, 1);
      if (t + 1 < STEPS) {
        const left = STEPS - t - 1;
        const { tape } = forward(
          description,
          parameters,
          x.subarray(3 * (t + 1)),
          dims(left),
          before,
        );
        const dRest = Float64Array.from(dOutput.subarray(5 * (t + 1)));
        rest = backward(description, parameters, tape, dRest, zeroState(description, 1)).state;
      }
      const dh = Float64Array.from(rest[layer.type]!.h, (v, k) => v + dOutput[5 * t + k]!);
      expect(Math.abs(h[t]! / norm(dh) - 1), `h, step ${t}`).toBeLessThan(1e-5);
      if (!c) continue;
      // h = o tanh(c), so that dh/dc = o (1 - tanh(c)^2) with o = h / tanh(c).
      const state = before[layer.type]!;
      const dc = Float64Array.from(rest[layer.type]!.c, (v, k) => {
        const tanh = Math.tanh(state.c[k]!);
        return v + dh[k]! * (state.h[k]! / tanh) * (1 - tanh * tanh);
      });
      expect(Math.abs(c[t]! / norm(dc) - 1), `c, step ${t}`).toBeLessThan(1e-5);
    }
    expect(c === undefined).toBe(layer.type !== 'lstm');
  });

  it('measuring changes no bit, and is not done unless asked for', () => {
    const description = {
      layers: [{ type: 'lstm', inputSize: 2, hiddenSize: 9, bidirectional: true }],
    } as const;
    const model = Model.create(engine, description);
    const trainer = Trainer.create(model, { batch: 2, steps: 4 });
    const x = new Float32Array(16).fill(0.5);
    const output = new Float32Array(4 * 2 * 18).fill(1);
    const run = (flow: boolean): ReturnType<Trainer['backward']> => {
      trainer.zeroGradients();
      trainer.forward(x, { lengths: [4, 2] });
      return trainer.backward({ output, flow });
    };
    const plain = run(false);
    const gradients = trainer.gradients();
    const measured = run(true);
    expect(plain.flow).toBeUndefined();
    expect(measured.flow!['lstm']!.h.length).toBe(2 * 4);
    expect(measured.input).toEqual(plain.input);
    expect(trainer.gradients()).toEqual(gradients);
  });
});
