/**
 * Which numbers training masks, seen through layers that copy: units that are their input (W = 1, R
 * = 0), or their state (R = 1). The oracle is Philox as src/base/random.ts has it, at the counters
 * that the documentation names.
 */
import { describe, expect, test } from 'vitest';
import { Model, Trainer } from '../../src/hosts/default.ts';
import type { LayerSpec, Tensor } from '../../src/hosts/default.ts';
import { philox, philoxKey } from '../../src/base/random.ts';
import { createEngine } from '../support/engines.ts';

const SEED = 2 ** 33 + 5;
const [UNITS, STEPS, BATCH] = [7, 5, 3];

const engine = createEngine('baseline');

/** Elman layers of UNITS units with W and R of given diagonals. */
function copying(layer: Partial<LayerSpec>, input: number, recurrent: number): Model {
  const spec = { type: 'rnn', nonlinearity: 'relu', inputSize: UNITS, hiddenSize: UNITS } as const;
  const model = Model.create(engine, { layers: [{ ...spec, ...layer } as LayerSpec] });
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape, data }] of model.stateDict()) {
    const value = name.includes('weight_ih') ? input : name.includes('weight_hh') ? recurrent : 0;
    const diagonal = data.map((_, k) => (k % (UNITS + 1) === 0 ? value : 0));
    tensors.set(name, { shape, data: diagonal });
  }
  model.loadStateDict(tensors);
  return model;
}

/**
 * Whether unit u of row b at step t is let through, by the generator of the package's other half.
 */
function passes(
  rate: number,
  { stream, pass, t, b, u }: Record<'stream' | 'pass' | 't' | 'b' | 'u', number>,
): boolean {
  const blocks = Math.ceil(UNITS / 4);
  const block = (t * BATCH + b) * blocks + Math.floor(u / 4);
  const words = philox(philoxKey(SEED), [block, pass, stream, 1]);
  return (words[u % 4]! >>> 8) / 2 ** 24 >= rate;
}

/** [T, B, H] */
function expected(f: (t: number, b: number, u: number) => number): number[] {
  return Array.from({ length: STEPS * BATCH * UNITS }, (_, k) =>
    f(Math.floor(k / (BATCH * UNITS)), Math.floor(k / UNITS) % BATCH, k % UNITS),
  );
}

const ones = (length: number): Float32Array => new Float32Array(length).fill(1);
const x = ones(STEPS * BATCH * UNITS);

function trainerOf(model: Model, seed: number = SEED): Trainer {
  return Trainer.create(model, { batch: BATCH, steps: STEPS, seed, loss: 'mse' });
}

describe('masks of training', () => {
  test('between sub-layers: fresh for every step, and for every pass', () => {
    const trainer = trainerOf(copying({ numLayers: 2, dropout: 0.4 }, 1, 0));
    for (let pass = 0; pass < 2; pass++) {
      const { output } = trainer.forward(x);
      // Unit 1 of the model: layer 0, dropout, layer 1.
      const wanted = expected((t, b, u) =>
        passes(0.4, { stream: 4 * 1, pass, t, b, u }) ? Math.fround(1 / 0.6) : 0,
      );
      expect([...output]).toEqual(wanted);
    }
  });

  test('of inputs: the same for all steps', () => {
    const { output } = trainerOf(copying({ inputDropout: 0.3 }, 1, 0)).forward(x);
    const wanted = expected((_, b, u) =>
      passes(0.3, { stream: 0, pass: 0, t: 0, b, u }) ? Math.fround(1 / 0.7) : 0,
    );
    expect([...output]).toEqual(wanted);
  });

  test('of inputs, where rows end early: a mask belongs to the row, not to its place', () => {
    const lengths = [2, STEPS, 4];
    const trainer = trainerOf(copying({ inputDropout: 0.3 }, 1, 0));
    const { output } = trainer.forward(x, { lengths });
    const wanted = expected((t, b, u) =>
      t < lengths[b]! && passes(0.3, { stream: 0, pass: 0, t: 0, b, u }) ? Math.fround(1 / 0.7) : 0,
    );
    expect([...output]).toEqual(wanted);
  });

  test('of the state in the recurrent product: the same for all steps', () => {
    const model = copying({ recurrentDropout: 0.5 }, 0, 1);
    const state = { rnn: { h: ones(BATCH * UNITS) } };
    const { output } = trainerOf(model).forward(new Float32Array(x.length), { state });
    const wanted = expected((t, b, u) =>
      passes(0.5, { stream: 2, pass: 0, t: 0, b, u }) ? 2 ** (t + 1) : 0,
    );
    expect([...output]).toEqual(wanted);
  });

  test('of zoneout: a state stays whole or is renewed whole', () => {
    const rising = x.map((_, k) => 1 + Math.floor(k / (BATCH * UNITS)));
    const { output } = trainerOf(copying({ zoneout: 0.6 }, 1, 0)).forward(rising);
    const state = new Float32Array(BATCH * UNITS);
    const wanted = expected((t, b, u) => {
      if (passes(0.6, { stream: 1, pass: 0, t, b, u })) state[b * UNITS + u] = t + 1;
      return state[b * UNITS + u]!;
    });
    expect([...output]).toEqual(wanted);
  });

  test('none outside of training; of zoneout the mean', () => {
    const model = copying(
      { numLayers: 2, dropout: 0.4, inputDropout: 0.2, recurrentDropout: 0.5 },
      1,
      0,
    );
    expect([...model.forward(x, { steps: STEPS, batch: BATCH }).output]).toEqual([...x]);
    expect(trainerOf(model).evaluateWindow(x, x)).toBe(0);
    const zoned = copying({ zoneout: 0.25 }, 1, 0).forward(ones(2 * UNITS), { steps: 2 });
    expect([...zoned.output.slice(0, 1), ...zoned.output.slice(UNITS, UNITS + 1)]).toEqual([
      0.75, 0.9375,
    ]);
  });

  test('by the seed; and a restored trainer goes on where the other stopped', () => {
    const description = { dropout: 0.5, numLayers: 2, zoneout: 0.1 };
    const [a, b, other] = [SEED, SEED, SEED + 1].map((seed) =>
      trainerOf(copying(description, 1, 0.5), seed),
    ) as [Trainer, Trainer, Trainer];
    const target = new Float32Array(x.length);
    const losses = [a, b, other].map((trainer) => trainer.trainOn(x, target).loss);
    expect(losses[1]).toBe(losses[0]);
    expect(losses[2]).not.toBe(losses[0]);
    a.trainOn(x, target);
    const c = trainerOf(copying(description, 1, 0.5));
    c.restore(b.snapshot());
    c.trainOn(x, target);
    expect(c.model.stateDict()).toEqual(a.model.stateDict());
  });

  test('let through as many as they should', () => {
    const trainer = Trainer.create(
      Model.create(engine, {
        layers: [{ type: 'rnn', inputSize: 500, hiddenSize: 1, inputDropout: 0.1 }],
      }),
      { batch: 200, steps: 1 },
    );
    trainer.forward(new Float32Array(200 * 500));
    trainer.zeroGradients();
    // dL/dx is 0 exactly where the mask is.
    const { input } = trainer.backward({ output: ones(200) });
    const through = input!.filter((slope) => slope !== 0).length / input!.length;
    // Five standard deviations of the mean of 100,000 draws.
    expect(Math.abs(through - 0.9)).toBeLessThan(5 * Math.sqrt(0.09 / 1e5));
  });
});

describe('options of layers that do not fit', () => {
  const layer = { type: 'lstm', inputSize: 2, hiddenSize: 4 };
  test.each([
    [{ projSize: 4 }, /projSize.*from 1 to 3, got 4/],
    [{ projClip: 1 }, /projClip" needs "projSize"/],
    [{ cellClip: 0 }, /cellClip.*at least/],
    [{ dropout: 1 }, /dropout.*from 0 to 0.999, got 1/],
    [{ activations: ['tanh'] }, /list of 3 activations/],
    [{ activations: ['tanh', 'tahn', 'tanh'] }, /activations\[1\].*got 'tahn'/],
    [{ activations: [{ type: 'tanh', alpha: 2 }, 'tanh', 'tanh'] }, /tanh takes none/],
    [{ layerNorm: 1 }, /layerNorm/],
    [{ type: 'gru', layerNorm: true, resetAfter: false }, /layerNorm" needs "resetAfter"/],
    [{ type: 'mingru', recurrentDropout: 0.2 }, /mingru has no recurrent product/],
    [{ type: 'rnn', cellClip: 1 }, /no option "cellClip"/],
  ])('%j', (options, message) => {
    const layers = [{ ...layer, ...options }] as unknown as LayerSpec[];
    expect(() => Model.create(engine, { layers })).toThrow(message);
  });
});
