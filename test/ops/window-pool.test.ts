/** Pools of windows and repeated steps: what no comparison with the reference tells. */
import { afterAll, describe, expect, it } from 'vitest';
import { Model, Trainer, type LayerSpec } from '../../src/hosts/default.ts';
import { dimsOf, layersOf } from '../reference/layers.ts';
import { createEngine, variants } from '../support/engines.ts';
import { gradcheck, smallProblem } from '../support/gradcheck.ts';
import { drawWindows } from '../support/layer-stacks.ts';
import { createRandom } from '../support/random.ts';

const engine = createEngine('baseline');
afterAll(() => engine.dispose());

const create = (...layers: object[]): Model =>
  Model.create(engine, { layers: layers as unknown as LayerSpec[] });

it('the reference pools and repeats as differences say', () => {
  for (let seed = 0; seed < 40; seed++) {
    const problem = smallProblem(
      (random) => ({
        layers: [
          { type: 'upsample1d', size: random.integer(1, 3), inputSize: random.integer(1, 3) },
          { type: 'gru', hiddenSize: random.integer(1, 4) },
          { type: 'averagePool1d', ...drawWindows(random), countPadding: random.unit() < 0.5 },
          { type: 'linear', outFeatures: random.integer(1, 4) },
          { type: 'maxPool1d', ...drawWindows(random) },
        ] as LayerSpec[],
      }),
      seed,
    );
    const places = layersOf(problem.description);
    if (dimsOf(places, problem.dims).some(({ after }) => after.steps < 1)) continue;
    gradcheck(problem, `seed ${seed}`);
  }
});

it('a maximum gives its gradient to the first largest step', () => {
  const model = create(
    { type: 'linear', inFeatures: 2, outFeatures: 1, bias: false },
    { type: 'maxPool1d', poolSize: 2 },
  );
  model.loadStateDict(new Map([['linear.weight', { shape: [1, 2], data: Float32Array.of(1, 1) }]]));
  const optimizer = { type: 'sgd', learningRate: 1 } as const;
  const trainer = Trainer.create(model, { loss: 'mse', optimizer, steps: 2, batch: 1 });
  trainer.trainOn(Float32Array.of(1, 0, 0, 1), Float32Array.of(0));
  const [first, second] = model.stateDict().get('linear.weight')!.data;
  expect(first).not.toBe(1);
  expect(second).toBe(1);
});

it('the largest of negative steps is no zero of the padding', () => {
  const model = create({
    type: 'maxPool1d',
    poolSize: 3,
    stride: 1,
    padding: 'same',
    inputSize: 1,
  });
  const { output } = model.forward(Float32Array.of(-1, -2, -3, -4), { steps: 4 });
  expect([...output]).toEqual([-1, -1, -2, -3]);
});

it('a window ends with the valid steps of its row', () => {
  const model = create({
    type: 'averagePool1d',
    poolSize: 2,
    stride: 1,
    padding: 'same',
    countPadding: false,
    inputSize: 1,
  });
  const x = Float32Array.of(1, 3, 5, 7, 20, 40, 0, 0);
  const { output } = model.forward(x, { steps: 4, batch: 2, batchFirst: true, lengths: [4, 2] });
  expect([...output]).toEqual([2, 4, 6, 7, 30, 40, 0, 0]);
});

it('branches of equal strides are joined', () => {
  const model = create(
    {
      type: 'conv1d',
      name: 'a',
      inChannels: 2,
      outChannels: 2,
      kernelSize: 3,
      stride: 2,
      padding: 'same',
    },
    { type: 'maxPool1d', name: 'b', poolSize: 2, padding: 'same', inputs: ['input'], inputSize: 2 },
    { type: 'concat', name: 'both', inputs: ['a', 'b'] },
    { type: 'upsample1d', size: 2 },
  );
  for (let pass = 0; pass < 2; pass++) {
    const { output } = model.forward(new Float32Array(2 * 7).fill(1), { steps: 7 });
    expect(output.length).toBe(4 * 8);
    expect(output[31]).toBe(1);
  }
});

it.each([
  [{ type: 'maxPool1d', poolSize: 2, padding: [2, 0] }, /padding\[0\]/],
  [{ type: 'averagePool1d', poolSize: 2, countPadding: 1 }, /countPadding/],
  [{ type: 'maxPool1d', poolSize: 2, stride: 0 }, /stride/],
  [{ type: 'maxPool1d', poolSize: 0 }, /poolSize/],
  [{ type: 'upsample1d' }, /size/],
])('%o is refused', (layer, message) => {
  expect(() => create({ ...layer, inputSize: 1 })).toThrow(message);
});

it('a stream is refused with the reason', () => {
  for (const layer of [
    { type: 'averagePool1d', poolSize: 2, padding: 'causal' },
    { type: 'maxPool1d', poolSize: 2, padding: 'same', stride: 1 },
    { type: 'upsample1d', size: 2 },
  ]) {
    const model = create({ ...layer, inputSize: 1 });
    const fix = layer.type === 'upsample1d' ? /: use model/ : /padding: 'causal' and stride: 1/;
    expect(() => model.stream()).toThrow(/several steps at once/);
    expect(() => model.stream()).toThrow(fix);
  }
});

const CAUSAL = { padding: 'causal', stride: 1 } as const;
const KINDS = [
  { type: 'maxPool1d' },
  { type: 'averagePool1d' },
  { type: 'averagePool1d', countPadding: false },
] as const;
const sizes = [1, 2, 3, 5];
const each = KINDS.flatMap((kind) =>
  sizes.map((poolSize) => {
    const title = `${kind.type} ${poolSize}${'countPadding' in kind ? ', no padding' : ''}`;
    return { title, layer: { ...kind, ...CAUSAL, poolSize } };
  }),
);
const random = createRandom(3);
const numbers = (length: number): Float32Array => Float32Array.from(random.vector(length, 1));

/** What a causal window of stride 1 gives for one feature, by hand. */
function windowOf(x: readonly number[], layer: (typeof each)[number]['layer']): number {
  if (layer.type === 'maxPool1d') return Math.max(...x);
  const sum = x.reduce((total, value) => total + value, 0);
  return sum / ('countPadding' in layer ? x.length : layer.poolSize);
}

describe.each(variants)('causal windows, %s SIMD', (variant) => {
  const own = createEngine(variant);
  afterAll(() => own.dispose());
  const [batch, steps] = [3, 11];

  it.each(each)('$title: streams with the bits of the whole', ({ layer }) => {
    for (const width of [1, 3, 4, 6]) {
      const model = Model.create(own, { layers: [{ ...layer, inputSize: width } as LayerSpec] });
      const x = numbers(steps * batch * width).map((value) => value - 2);
      const { output, state } = model.forward(x, { steps, batch });
      for (const [at, value] of output.entries()) {
        const from = at - (layer.poolSize - 1) * batch * width;
        const seen: number[] = [];
        for (let k = Math.max(at % (batch * width), from); k <= at; k += batch * width)
          seen.push(x[k]!);
        expect(value).toBeCloseTo(windowOf(seen, layer), 6);
      }
      const stream = model.stream({ batch });
      for (let again = 0; again < 2; again++) {
        const streamed = new Float32Array(output.length);
        const row = batch * width;
        stream.step(x.slice(0, row), streamed.subarray(0, row));
        stream.step(x.slice(row, 2 * row), streamed.subarray(row, 2 * row));
        const twin = stream.clone();
        stream.run(x.slice(2 * row), streamed.subarray(2 * row), steps - 2);
        expect(streamed).toEqual(output);
        expect(stream.save()).toEqual(state);
        const rest = new Float32Array(output.length - 2 * row);
        twin.run(x.slice(2 * row), rest, steps - 2);
        expect(rest).toEqual(streamed.slice(2 * row));
        stream.reset();
      }
      const cut = 3 * batch * width;
      const first = model.forward(x.slice(0, cut), { steps: 3, batch });
      const second = model.forward(x.slice(cut), { steps: steps - 3, batch, state: first.state });
      expect([...first.output, ...second.output]).toEqual([...output]);
      expect(second.state).toEqual(state);
    }
  });

  it.each(each)('$title: rows of any length', ({ layer }) => {
    const width = 5;
    const model = Model.create(own, { layers: [{ ...layer, inputSize: width } as LayerSpec] });
    const x = numbers(steps * batch * width);
    const lengths = [2, 0, steps];
    const over = { batch, batchFirst: true };
    const { output, state } = model.forward(x, { ...over, steps, lengths });
    const next = model.forward(x, { ...over, steps, state });
    for (const [b, length] of lengths.entries()) {
      const row = x.subarray(b * steps * width, (b + 1) * steps * width);
      const whole = Float32Array.from([...row.subarray(0, length * width), ...row]);
      const alone = model.forward(whole, { steps: length + steps }).output;
      const at = b * steps * width;
      expect(output.slice(at, at + length * width)).toEqual(alone.slice(0, length * width));
      expect(next.output.slice(at, at + steps * width)).toEqual(alone.slice(length * width));
    }
  });

  it('keeps its marks in a long call of chunks', () => {
    const layers = [{ ...KINDS[2], ...CAUSAL, poolSize: 4, inputSize: 2 }] as LayerSpec[];
    const model = Model.create(own, { layers });
    const x = numbers(5000 * 2);
    const { output } = model.forward(x, { steps: 5000 });
    const stream = model.stream();
    const streamed = new Float32Array(output.length);
    for (let t = 0; t < 5000; t += 50)
      stream.run(x.slice(2 * t, 2 * (t + 50)), streamed.subarray(2 * t, 2 * (t + 50)), 50);
    expect(streamed).toEqual(output);
  });

  const layers = [
    { type: 'linear', inFeatures: 3, outFeatures: 5 },
    { type: 'maxPool1d', ...CAUSAL, poolSize: 4 },
    { type: 'gru', hiddenSize: 4 },
    { type: 'averagePool1d', ...CAUSAL, poolSize: 3, countPadding: false },
    { type: 'linear', outFeatures: 2 },
  ] as LayerSpec[];
  const loss = 'mse';
  const x = numbers(24 * 2 * 3);
  const target = numbers(24 * 2 * 2);

  it('trains to the same bits in segments', () => {
    const trained = (maxBytes?: number): unknown[] => {
      const model = Model.create(own, { layers }, { seed: 2 });
      const options = { loss, batch: 2, steps: 24, ...(maxBytes && { maxBytes }) } as const;
      const trainer = Trainer.create(model, options);
      for (let update = 0; update < 4; update++) trainer.trainOn(x, target);
      return [...model.stateDict()].map(([name, { data }]) => [name, ...data]);
    };
    const least = (): number => {
      try {
        trained(1);
      } catch (error) {
        return Number(/at least (\d+)/.exec((error as Error).message)![1]);
      }
      throw new Error('one byte was enough');
    };
    expect(trained(least())).toEqual(trained());
  });

  it('carries its state, and takes back its gradient, from window to window', () => {
    const model = Model.create(own, { layers }, { seed: 2 });
    const whole = Trainer.create(model, { loss, batch: 2, steps: 24 });
    const half = Trainer.create(model, { loss, batch: 2, steps: 12 });
    const dy = numbers(24 * 2 * 2);
    const { output } = whole.forward(x);
    const { input } = whole.backward({ output: dy });
    const [front, back] = [x.slice(0, x.length / 2), x.slice(x.length / 2)];
    const { state } = half.forward(front);
    const second = half.forward(back, { state });
    expect(second.output).toEqual(output.slice(output.length / 2));
    const later = half.backward({ output: dy.slice(dy.length / 2) });
    half.forward(front);
    const earlier = half.backward({ output: dy.slice(0, dy.length / 2), state: later.state });
    const joined = [...earlier.input!, ...later.input!];
    for (const [k, value] of input!.entries()) expect(joined[k]!).toBeCloseTo(value, 6);
    const sums = half.gradients();
    for (const [name, { data }] of whole.gradients())
      for (const [k, value] of data.entries())
        expect(sums.get(name)!.data[k]!).toBeCloseTo(value, 5);
  });
});
