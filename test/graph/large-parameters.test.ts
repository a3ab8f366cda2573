/** Parameters copied in pieces: each value comes to where the kernels read it, and back. */
import { afterAll, describe, expect, it } from 'vitest';
import { Model } from '../../src/hosts/default.ts';
import type { LayerSpec, StateDict } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const engine = createEngine('baseline');
afterAll(() => engine.dispose());
const random = createRandom(12);

/** A model with parameters of its own, which it gives back as they are. */
function create(...layers: LayerSpec[]): { model: Model; parameters: StateDict } {
  const model = Model.create(engine, { layers }, { init: 'zeros' });
  const parameters: StateDict = new Map();
  for (const [name, { shape, data }] of model.stateDict()) {
    parameters.set(name, { shape, data: Float32Array.from(random.vector(data.length, 1)) });
  }
  model.loadStateDict(parameters);
  for (const [name, { data }] of model.stateDict()) {
    expect(data.every((value, i) => value === parameters.get(name)!.data[i])).toBe(true);
  }
  return { model, parameters };
}

const INPUTS = 300;
const x = Float32Array.from(random.vector(INPUTS, 1));

/** Rows of [gates * hidden, ...] that belong to some units, as one of a smaller layer. */
function rowsOf(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  hidden: number,
  units: readonly number[],
): Float32Array {
  const [rows] = shape as [number];
  const row = data.length / rows;
  const chosen = Array.from({ length: rows / hidden }, (_, gate) =>
    units.map((unit) => gate * hidden + unit),
  ).flat();
  return Float32Array.from(chosen.flatMap((at) => [...data.subarray(at * row, (at + 1) * row)]));
}

describe('parameters of more than 1 MiB', () => {
  it.each(['lstm', 'gru', 'rnn', 'mingru'] as const)('of %s', (type) => {
    const hidden = type === 'rnn' ? 1001 : 501;
    const { model, parameters } = create({ type, inputSize: INPUTS, hiddenSize: hidden });
    expect(Math.max(...[...parameters.values()].map(({ data }) => data.length))).toBeGreaterThan(
      2 ** 18,
    );
    const { output } = model.forward(x, { steps: 1 });
    // From zero states a unit sees no other: some of them are a layer of their own.
    const units = [0, 3, 217, 218, 219, 291, 292, 371, 372, 373, hidden - 2, hidden - 1];
    const small = Model.create(engine, {
      layers: [{ type, inputSize: INPUTS, hiddenSize: units.length }],
    });
    const chosen: StateDict = new Map();
    for (const [name, { shape }] of small.stateDict()) {
      const whole = parameters.get(name)!;
      const data = name.includes('weight_hh')
        ? new Float32Array(shape[0]! * shape[1]!)
        : rowsOf(whole, hidden, units);
      chosen.set(name, { shape, data });
    }
    small.loadStateDict(chosen);
    expect([...small.forward(x, { steps: 1 }).output]).toEqual(units.map((unit) => output[unit]));
    model.dispose();
    small.dispose();
  });

  it('of linear and of embedding, whose rows may be longer', () => {
    const { model, parameters } = create(
      { type: 'embedding', numEmbeddings: 3, embeddingDim: 300_001 },
      { type: 'linear', outFeatures: 2 },
    );
    const { output } = model.forward(Int32Array.of(2), { steps: 1 });
    const row = parameters.get('embedding.weight')!.data.subarray(2 * 300_001);
    const weight = parameters.get('linear.weight')!.data;
    const bias = parameters.get('linear.bias')!.data;
    output.forEach((value, o) => {
      const sum = row.reduce((total, e, k) => total + e * weight[o * 300_001 + k]!, bias[o]!);
      expect(Math.abs(value - sum)).toBeLessThan(0.05);
    });
    model.dispose();
    const table = create(
      { type: 'embedding', numEmbeddings: 5001, embeddingDim: 61 },
      { type: 'linear', outFeatures: 1 },
    );
    const { data } = table.parameters.get('embedding.weight')!;
    const head = table.parameters.get('linear.weight')!.data;
    const [from] = table.parameters.get('linear.bias')!.data;
    for (const token of [0, 4296, 4297, 4298, 5000]) {
      const { output: out } = table.model.forward(Int32Array.of(token), { steps: 1 });
      const sum = head.reduce((total, w, k) => total + w * data[token * 61 + k]!, from!);
      expect(out[0]).toBeCloseTo(sum, 4);
    }
    table.model.dispose();
  });

  it('of a convolution in groups', () => {
    const [groups, inner, outer, kernelSize] = [3, 100, 401, 5];
    const { model, parameters } = create({
      type: 'conv1d',
      inChannels: groups * inner,
      outChannels: groups * outer,
      kernelSize,
      groups,
    } as LayerSpec);
    const steps = kernelSize;
    const input = Float32Array.from(random.vector(steps * INPUTS, 1));
    const { output } = model.forward(input, { steps });
    const last = output.subarray(output.length - groups * outer);
    const weight = parameters.get('conv1d.weight')!.data;
    const bias = parameters.get('conv1d.bias')!.data;
    for (let o = 0; o < groups * outer; o += 7) {
      let sum = bias[o]!;
      for (let i = 0; i < inner; i++) {
        for (let k = 0; k < kernelSize; k++) {
          const channel = Math.floor(o / outer) * inner + i;
          sum += weight[(o * inner + i) * kernelSize + k]! * input[k * INPUTS + channel]!;
        }
      }
      expect(last[o]).toBeCloseTo(sum, 3);
    }
    model.dispose();
  });
});
