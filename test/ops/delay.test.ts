/**
 * Delays: their state, the bits of a stream, of chunks and of single rows, truncated training, and
 * what is refused.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { loadModel, saveModel } from '../../src/formats/gatefold.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { lossError, LOSS_TOLERANCE, trainBoth } from '../support/training.ts';

const numbers = (seed: number, length: number): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

const LAYERS: readonly LayerSpec[] = [
  { type: 'delay', name: 'first', steps: 3, inputSize: 2 },
  { type: 'gru', hiddenSize: 5 },
  { type: 'delay', name: 'long', steps: 30 },
  { type: 'prelu' },
  { type: 'linear', outFeatures: 3 },
];

function requireSame(actual: Float32Array, expected: Float32Array, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  expect(sameBits(actual, expected), what).toBe(true);
}

const flat = (state: Record<string, { h: Float32Array }>): Float32Array =>
  Float32Array.from(Object.values(state).flatMap(({ h }) => [...h]));

describe.each(variants)('delays, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());
  const create = (layers: readonly LayerSpec[], seed = 1): Model =>
    Model.create(engine, { layers }, { seed });

  it('outputs are the state, oldest first, then the inputs; what is left is the next state', () => {
    const model = create([{ type: 'delay', steps: 3, inputSize: 2 }]);
    const [x, h] = [numbers(1, 5 * 2 * 2), numbers(2, 3 * 2 * 2)];
    const both = Float32Array.from([...h, ...x]);
    const given = { steps: 5, batch: 2, state: { delay: { h } } };
    const { output, state } = model.forward(x, given);
    requireSame(output, both.subarray(0, 20), 'output');
    requireSame(state['delay']!.h, both.subarray(20), 'state');
    const fresh = model.forward(x, { steps: 5, batch: 2 }).output;
    requireSame(fresh, Float32Array.from([...new Float32Array(12), ...x.subarray(0, 8)]), 'zeros');
    // Fewer steps than the state has.
    const short = model.forward(x.subarray(0, 4), { ...given, steps: 1 });
    requireSame(short.output, h.subarray(0, 4), 'first output');
    const moved = Float32Array.from([...h.subarray(4), ...x.subarray(0, 4)]);
    requireSame(short.state['delay']!.h, moved, 'state of one step');
    model.dispose();
  });

  it('a stream gives the bits of the whole pass, through blocks, saves, restores and clones', () => {
    const model = create(LAYERS);
    const [steps, batch] = [75, 3];
    const x = numbers(7, steps * batch * 2);
    const whole = model.forward(x, { steps, batch });
    const out = new Float32Array(whole.output.length);
    const take = (stream: ReturnType<Model['stream']>, from: number, until: number): void => {
      const part = out.subarray(from * batch * 3, until * batch * 3);
      stream.run(x.subarray(from * batch * 2, until * batch * 2), part, until - from);
    };
    let stream = model.stream({ batch });
    for (let t = 0; t < 5; t++) take(stream, t, t + 1);
    take(stream, 5, 40);
    const saved = stream.save();
    expect(saved['first']!.h.length).toBe(3 * batch * 2);
    expect(saved['long']!.h.length).toBe(30 * batch * 5);
    // Steps of nobody: the restored state has no trace of them.
    take(stream, 20, 24);
    stream.restore(saved);
    take(stream, 40, 57);
    take(model.stream({ batch }), 0, 24);
    stream = stream.clone();
    take(stream, 57, 75);
    requireSame(out, whole.output, 'output');
    requireSame(flat(stream.save()), flat(whole.state), 'state');
    stream.reset();
    take(stream, 0, 18);
    requireSame(out, whole.output, 'output after a reset');
    const begun = model.stream({ batch, state: saved });
    take(begun, 40, 75);
    requireSame(out, whole.output, 'output from a state');
    model.dispose();
  });

  it('a sequence that needs chunks has the bits of one pass', () => {
    const model = create([{ type: 'delay', steps: 700, inputSize: 3 }]);
    const whole = create([
      { type: 'delay', steps: 700, inputSize: 3 },
      { type: 'pool', mode: 'last' },
    ]);
    const steps = 3000;
    const x = numbers(2, steps * 3);
    const { output, state } = model.forward(x, { steps });
    requireSame(output.subarray(700 * 3), x.subarray(0, (steps - 700) * 3), 'output');
    requireSame(state['delay']!.h, x.subarray((steps - 700) * 3), 'state');
    // A pool wants all steps in one pass.
    const pooled = whole.forward(x, { steps });
    requireSame(pooled.output, output.subarray((steps - 1) * 3), 'pooled');
    [model, whole].forEach((each) => each.dispose());
  });

  it.each([1, 4, 9, 20])('ragged rows are as each alone, %i steps late', (late) => {
    const [steps, lengths] = [11, [7, 11, 0, 3, 10, 7]];
    const batch = lengths.length;
    const model = create([
      { type: 'delay', steps: late, inputSize: 2 },
      { type: 'rnn', hiddenSize: 3 },
    ]);
    const [x, h] = [numbers(9, steps * batch * 2), numbers(8, late * batch * 2)];
    const given = { steps, batch, lengths, state: { delay: { h } } };
    const { output, state } = model.forward(x, given);
    const rowOf = (all: Float32Array, b: number, width: number): Float32Array =>
      all.filter((_, k) => Math.floor(k / width) % batch === b);
    lengths.forEach((length, b) => {
      const own = rowOf(h, b, 2);
      if (length === 0) {
        requireSame(rowOf(state['delay']!.h, b, 2), own, `state of row ${b}`);
        return;
      }
      const row = rowOf(x, b, 2).subarray(0, length * 2);
      const alone = model.forward(row, { steps: length, state: { delay: { h: own } } });
      requireSame(rowOf(output, b, 3).subarray(0, length * 3), alone.output, `row ${b}`);
      requireSame(rowOf(state['delay']!.h, b, 2), alone.state['delay']!.h, `state of row ${b}`);
    });
    model.dispose();
  });

  it('the gradient goes back to the inputs and the initial state, row by row', () => {
    const [steps, batch, late] = [4, 2, 3];
    const model = create([{ type: 'delay', steps: late, inputSize: 1 }]);
    const trainer = Trainer.create(model, { batch, steps });
    const backward = (lengths: readonly number[]): number[][] => {
      trainer.forward(new Float32Array(steps * batch), { lengths });
      const output = Float32Array.of(1, 10, 2, 20, 3, 30, 4, 40);
      const given = { output, state: { delay: { h: Float32Array.of(5, 50, 6, 60, 7, 70) } } };
      const { input, state } = trainer.backward(given);
      return [[...input!], [...state['delay']!.h]];
    };
    expect(backward([4, 4])).toEqual([
      [4, 40, 5, 50, 6, 60, 7, 70],
      [1, 10, 2, 20, 3, 30],
    ]);
    expect(backward([4, 1])).toEqual([
      [4, 70, 5, 0, 6, 0, 7, 0],
      [1, 10, 2, 50, 3, 60],
    ]);
    expect(backward([0, 2])).toEqual([
      [0, 60, 0, 70, 0, 0, 0, 0],
      [5, 10, 6, 20, 7, 50],
    ]);
    model.dispose();
  });

  it.each([undefined, { back: 7, every: 3 }, { back: 3, every: 3 }])(
    'truncated backpropagation as the reference, bptt %j',
    (bptt) => {
      const outcome = trainBoth(engine, {
        description: {
          layers: [
            { type: 'gru', inputSize: 3, hiddenSize: 4 },
            { type: 'delay', steps: 4 },
            { type: 'prelu', shared: true },
            { type: 'linear', outFeatures: 2 },
          ],
        },
        batch: 2,
        steps: 3,
        updates: 12,
        options: { loss: 'mse', optimizer: { type: 'sgd', lr: 0.1, momentum: 0.5 }, bptt },
        seed: 3,
      });
      expect(Math.max(...outcome.pairs.map(lossError))).toBeLessThan(LOSS_TOLERANCE);
      expect(outcome.moved).toBeGreaterThan(0.02);
      expect(outcome.apart).toBeLessThan(1e-4);
    },
  );

  it('a restored snapshot goes on with the same bits', () => {
    const options = { batch: 2, steps: 5, loss: 'mse', seed: 8 } as const;
    const [first, second] = [create(LAYERS), create(LAYERS, 2)];
    const [a, b] = [Trainer.create(first, options), Trainer.create(second, options)];
    const window = (k: number): [Float32Array, Float32Array] => [numbers(k, 20), numbers(-k, 30)];
    for (let k = 0; k < 3; k++) a.trainOn(...window(k));
    b.restore(a.snapshot());
    for (let k = 3; k < 20; k++) expect(b.trainOn(...window(k))).toEqual(a.trainOn(...window(k)));
    for (const [name, { data }] of first.stateDict())
      requireSame(second.stateDict().get(name)!.data, data, name);
    [first, second].forEach((model) => model.dispose());
  });

  it('a file and a model of 8 bits keep it', () => {
    const model = create(LAYERS);
    const x = numbers(5, 40 * 2);
    // Early relaxed SIMD has no 8 bits.
    const all = variant === 'baseline' ? [model, model.quantize()] : [model];
    for (const from of all) {
      const loaded = loadModel(engine, saveModel(from));
      expect(loaded.description).toEqual(from.description);
      const [one, other] = [loaded, from].map((each) => each.forward(x, { steps: 40 }).output);
      requireSame(one!, other!, 'output');
      loaded.dispose();
    }
    model.dispose();
  });

  it('refuses what does not fit, by its name and with what would', () => {
    const delay = { type: 'delay', inputSize: 2 } as const;
    for (const steps of [undefined, 0, -1, 1.5, 2 ** 16 + 1, '3', null]) {
      const made = (): Model => create([{ ...delay, steps } as unknown as LayerSpec]);
      expect(made, String(steps)).toThrow(/"layers\[0\]\.steps" expected a whole number from 1/);
      expect(made).toThrow(GatefoldError);
    }
    expect(() => create([{ type: 'delay', steps: 1 }])).toThrow(/inputSize" is needed/);
    expect(() =>
      create([
        { type: 'gru', inputSize: 2, hiddenSize: 2 },
        { type: 'pool', mode: 'last' },
        { type: 'delay', steps: 1 },
      ]),
    ).toThrow(/"delay" stands after a pool/);
    const model = create([{ ...delay, steps: 3 }]);
    const wrong = { delay: { h: new Float32Array(4) } };
    expect(() => model.forward(new Float32Array(4), { steps: 2, state: wrong })).toThrow(
      /"state\.delay\.h" expected .* 6 \(3 steps x 1 rows x 2 features\), got length 4/,
    );
    model.dispose();
  });
});
