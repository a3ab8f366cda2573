/** Rows of a stream, frames that are not finite, and what a stream takes. */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, type ModelDescription } from '../../src/hosts/default.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const NETS: Readonly<Record<string, ModelDescription>> = {
  'an LSTM of two sub-layers': {
    layers: [
      { type: 'lstm', inputSize: 3, hiddenSize: 5, numLayers: 2 },
      { type: 'linear', outFeatures: 2 },
    ],
  },
  'a convolution and a GRU that learned its start': {
    layers: [
      { type: 'conv1d', inChannels: 3, outChannels: 4, kernelSize: 3, padding: 'causal' },
      { type: 'gru', hiddenSize: 6, initialState: 'learned' },
      { type: 'delay', steps: 2 },
      { type: 'linear', outFeatures: 2 },
    ],
  },
};
const [BATCH, STEPS] = [3, 37];
const random = createRandom(8);
const x = Float32Array.from(random.vector(STEPS * BATCH * 3, 1));

/** The numbers of one row of a batch: of every step `width` of them. */
function rowOf(values: Float32Array, width: number, row: number): Float32Array {
  const numbers = Array.from(values).filter((_, i) => Math.floor(i / width) % BATCH === row);
  return Float32Array.from(numbers);
}

describe.each(variants)('streams, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  describe.each(Object.entries(NETS))('of %s', (_, net) => {
    const model = Model.create(engine, net, { seed: 5 });
    const outputs = (steps = STEPS, batch = BATCH): Float32Array =>
      new Float32Array(steps * batch * 2);

    it('have the same bits whatever the lengths of the calls', () => {
      const [whole, cut] = [outputs(), outputs()];
      model.stream({ batch: BATCH }).run(x, whole, STEPS);
      const stream = model.stream({ batch: BATCH });
      for (
        let at = 0, steps = 1;
        at < STEPS;
        at += steps, steps = Math.min(steps + 3, STEPS - at)
      ) {
        const own = cut.subarray(at * BATCH * 2);
        stream.run(x.subarray(at * BATCH * 3), own, steps);
      }
      expect(cut).toEqual(whole);
    });

    it('start one row over, and read one', () => {
      const stream = model.stream({ batch: BATCH });
      const [first, second] = [outputs(), outputs()];
      stream.run(x, first, STEPS);
      const alone = model.stream({ state: stream.state(2) });
      const before = stream.save();
      stream.reset(1);
      const fresh = model.stream({ batch: BATCH }).save();
      for (const b of [0, 1, 2]) {
        const wanted = model.stream({ batch: BATCH });
        wanted.restore(b === 1 ? fresh : before);
        expect(stream.state(b)).toEqual(wanted.state(b));
      }
      stream.run(x, second, STEPS);
      expect(rowOf(second, 2, 1)).toEqual(rowOf(first, 2, 1));
      const out = outputs(STEPS, 1);
      alone.run(rowOf(x, 3, 2), out, STEPS);
      expect(out).toEqual(rowOf(second, 2, 2));
      for (const row of [3, -1, 0.5, NaN, '0' as unknown as number]) {
        expect(() => stream.reset(row)).toThrow(/"row" expected a whole number from 0 to 2/);
        expect(() => stream.state(row)).toThrow(/"row"/);
      }
    });

    it('go on from where another is', () => {
      const [a, b] = [model.stream({ batch: BATCH }), model.stream({ batch: BATCH })];
      a.run(x, outputs(), STEPS);
      b.copyFrom(a);
      const [ofA, ofB] = [outputs(), outputs()];
      a.run(x, ofA, STEPS);
      b.run(x, ofB, STEPS);
      expect(ofB).toEqual(ofA);
      const other = Model.create(engine, net);
      for (const wrong of [model.stream(), other.stream({ batch: BATCH }), {}, null, undefined]) {
        expect(() => b.copyFrom(wrong as typeof a)).toThrow(
          /"other" expected a stream of the same/,
        );
      }
      a.dispose();
      expect(() => b.copyFrom(a)).toThrow(GatefoldError);
    });

    it('do what is asked for with a frame that is not finite', () => {
      const [bad, at] = [x.slice(), 20];
      bad[(at * BATCH + 1) * 3 + 2] = NaN;
      const run = (onNonFinite?: 'propagate' | 'throw' | 'reset'): Float32Array => {
        const stream = model.stream({ batch: BATCH, ...(onNonFinite && { onNonFinite }) });
        const out = outputs();
        stream.run(bad, out, STEPS);
        return out;
      };
      const [good, lost] = [outputs(), run()];
      model.stream({ batch: BATCH }).run(x, good, STEPS);
      expect(lost).toEqual(run('propagate'));
      expect(lost.some(Number.isNaN)).toBe(true);
      const throwing = model.stream({ batch: BATCH, onNonFinite: 'throw' });
      const before = throwing.save();
      expect(() => throwing.run(bad, outputs(), STEPS)).toThrow(/step 20 and row 1 is not finite/);
      expect(throwing.save()).toEqual(before);
      throwing.run(x, outputs(), STEPS);

      const reset = run('reset');
      for (const row of [0, 2]) expect(rowOf(reset, 2, row)).toEqual(rowOf(good, 2, row));
      // Row 1 begins again at that frame, which is read as zeros.
      const frames = rowOf(x, 3, 1).slice();
      frames.fill(0, at * 3, at * 3 + 3);
      const [old, anew] = [outputs(at, 1), outputs(STEPS - at, 1)];
      model.stream().run(frames, old, at);
      model.stream().run(frames.subarray(at * 3), anew, STEPS - at);
      expect(rowOf(reset, 2, 1)).toEqual(Float32Array.of(...old, ...anew));
      expect(bad[(at * BATCH + 1) * 3 + 2]).toBeNaN();
      const options = { onNonFinite: 'ignore' as 'throw' };
      expect(() => model.stream(options)).toThrow(/'propagate' or 'throw' or 'reset'/);
    });

    it('keep their states while they warm up', () => {
      const stream = model.stream({ batch: BATCH, onNonFinite: 'reset' });
      stream.run(x, outputs(), STEPS);
      const before = stream.save();
      stream.warmUp();
      expect(stream.save()).toEqual(before);
    });
  });

  it('take at most 16 MB for 1,024 of 128/256', () => {
    const layers = [{ type: 'lstm', inputSize: 128, hiddenSize: 256 }] as const;
    const model = Model.create(engine, { layers });
    const before = engine.bytes;
    const stream = model.stream({ batch: 1024 });
    expect((engine.bytes - before) / 1e6).toBeLessThan(16);
    stream.dispose();
    model.dispose();
  });
});

it('a model of four parameters is warm in no time', () => {
  const engine = createEngine('relaxed');
  const layers = [{ type: 'rnn', inputSize: 1, hiddenSize: 1, bias: false }] as const;
  const model = Model.create(engine, { layers });
  const { user } = process.cpuUsage();
  model.warmUp();
  // 50 ms of a quiet core.
  expect((process.cpuUsage().user - user) / 1e3).toBeLessThan(500);
  engine.dispose();
});

it.each([
  ['unfold', { type: 'unfold', steps: 2 }],
  ['reshape', { type: 'reshape', steps: 1 }],
] as const)('no stream makes steps of a pooled row: %s', (name, layer) => {
  const engine = createEngine('relaxed');
  const model = Model.create(engine, {
    inputs: [{ name: 'x', size: 8, steps: 1 }],
    layers: [
      { type: 'activation', activation: 'tanh' },
      { type: 'pool', mode: 'last' },
      { ...layer, name },
      { type: 'lstm', name: 'lstm', hiddenSize: 4 },
      { type: 'concat', name: 'state', inputs: ['lstm.h', 'lstm.c'] },
      {
        type: 'conv1d',
        name: 'y',
        outChannels: 4,
        kernelSize: 3,
        padding: 'causal',
        inputs: ['lstm'],
      },
    ],
    outputs: ['y', 'state'],
  });
  expect(model.forward(new Float32Array(8), { steps: 1 }).output.length % 4).toBe(0);
  expect(() => model.stream()).toThrow(
    `a stream cannot run "${name}", which makes steps of a row of the whole sequence`,
  );
  engine.dispose();
});
