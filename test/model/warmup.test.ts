/** Warming up computes nothing that anybody sees. */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, type LayerSpec } from '../../src/hosts/default.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';

const stacks: Readonly<Record<string, readonly LayerSpec[]>> = {
  features: [
    { type: 'lstm', inputSize: 3, hiddenSize: 9 },
    { type: 'gru', hiddenSize: 7, bidirectional: true },
    { type: 'linear', outFeatures: 4 },
  ],
  'tokens, pooled': [
    { type: 'embedding', numEmbeddings: 5, embeddingDim: 6 },
    { type: 'rnn', hiddenSize: 8 },
    { type: 'pool', mode: 'mean' },
  ],
};

describe.each(variants)('warming up, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it.each(Object.entries(stacks))('%s: outputs, states and memory stay', (_, layers) => {
    const model = Model.create(engine, { layers }, { seed: 1 });
    const x = model.takesTokens ? Int32Array.of(1, 4, 0, 2) : new Float32Array(12).fill(0.3);
    const before = model.forward(x, { steps: 4 });
    const { bytes } = engine;
    for (let n = 0; n < 3; n++) model.warmUp({ batch: 2, steps: 5 });
    const after = model.forward(x, { steps: 4 });
    expect(sameBits(after.output, before.output)).toBe(true);
    for (const [name, { h }] of Object.entries(before.state)) {
      expect(sameBits(after.state[name]!.h, h), name).toBe(true);
    }
    expect(engine.bytes - bytes).toBeLessThanOrEqual(65536);
  });

  it('leaves a stream where it is', () => {
    const model = Model.create(engine, { layers: [{ type: 'lstm', inputSize: 2, hiddenSize: 5 }] });
    const [one, other] = [model.stream(), model.stream()];
    const [x, a, b] = [Float32Array.of(0.5, -1), new Float32Array(5), new Float32Array(5)];
    one.step(x, a);
    other.step(x, b);
    model.warmUp();
    one.step(x, a);
    other.step(x, b);
    expect(sameBits(a, b)).toBe(true);
    const fresh = model.stream();
    fresh.step(x, b);
    fresh.step(x, b);
    expect(sameBits(a, b)).toBe(true);
  });

  it('refuses what is no size', () => {
    const model = Model.create(engine, { layers: [{ type: 'gru', inputSize: 2, hiddenSize: 5 }] });
    expect(() => model.warmUp({ batch: 0 })).toThrow(/batch/);
    expect(() => model.warmUp({ steps: 1.5 })).toThrow(/steps/);
    expect(() => model.warmUp({ times: 3 } as never)).toThrow(/times/);
    model.dispose();
    expect(() => model.warmUp()).toThrow(/disposed/);
  });
});
