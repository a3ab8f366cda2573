/**
 * A linear layer that shares the table of the embedding: against the same model with two matrices,
 * and against float64.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { loadModel, saveModel, writeSafetensors } from '../../src/formats/safetensors.ts';
import { loadPytorch } from '../../src/formats/pytorch.ts';
import { Model, Trainer } from '../../src/hosts/default.ts';
import type { StateDict } from '../../src/base/tensor.ts';
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import { cellForms, recurrentLayer } from '../support/cells.ts';
import { createEngine, variants } from '../support/engines.ts';
import { gradcheck, smallProblem } from '../support/gradcheck.ts';
import { createRandom } from '../support/random.ts';
import { LOSS_TOLERANCE, lossError, trainBoth } from '../support/training.ts';

const table = (numEmbeddings: number, embeddingDim: number): LayerSpec => ({
  type: 'embedding',
  name: 'characters',
  numEmbeddings,
  embeddingDim,
});
const tied = { type: 'linear', name: 'head', tied: 'characters' } as const;

it('the reference adds up both uses as differences say', () => {
  for (let seed = 0; seed < 30; seed++) {
    const form = Object.values(cellForms)[seed % 10]!;
    const problem = smallProblem((random) => {
      const hiddenSize = random.integer(1, 4);
      return {
        layers: [
          table(random.integer(1, 5), hiddenSize),
          recurrentLayer(form, { hiddenSize }),
          { ...tied, bias: seed % 2 === 0 },
        ],
      };
    }, seed);
    gradcheck(problem, `seed ${seed}`);
  }
});

describe.each(variants)('tied weights, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it.each([
    [5, 3, true],
    [16, 8, false],
    [37, 21, true],
    [1, 1, true],
  ])('%i x %i: the bits of a model with two equal matrices, one gradient', (count, width, bias) => {
    const body = { type: 'gru', hiddenSize: width } as const;
    const one = Model.create(
      engine,
      { layers: [table(count, width), body, { ...tied, bias }] },
      { seed: 3 },
    );
    const two = Model.create(engine, {
      layers: [
        table(count, width),
        body,
        { type: 'linear', name: 'head', outFeatures: count, bias },
      ],
    });
    const names = [...two.stateDict().keys()].filter((name) => name !== 'head.weight');
    expect([...one.stateDict().keys()]).toEqual(names);
    const untie = (tensors: StateDict): StateDict =>
      new Map([...tensors, ['head.weight', tensors.get('characters.weight')!]]);
    two.loadStateDict(untie(one.stateDict()));
    const random = createRandom(count);
    const [batch, steps] = [3, 7];
    const draw = (): Int32Array =>
      Int32Array.from({ length: batch * steps }, () => random.integer(0, count - 1));
    const options = {
      batch,
      steps,
      loss: 'cross-entropy',
      optimizer: { type: 'sgd', lr: 0.5 },
    } as const;
    const [single, double] = [Trainer.create(one, options), Trainer.create(two, options)];
    for (let update = 0; update < 3; update++) {
      const [x, target] = [draw(), draw()];
      expect(one.forward(x, { steps, batch }).output).toEqual(
        two.forward(x, { steps, batch }).output,
      );
      expect(single.trainOn(x, target).loss).toBe(double.trainOn(x, target).loss);
      const [sum, apart] = [single.gradients(), double.gradients()];
      const parts = ['characters.weight', 'head.weight'].map((name) => apart.get(name)!.data);
      const both = parts[0]!.map((value, k) => value + parts[1]![k]!);
      for (const name of names) {
        const want = name === 'characters.weight' ? both : apart.get(name)!.data;
        expect(sum.get(name)!.data, name).toEqual(want);
      }
      two.loadStateDict(untie(one.stateDict()));
    }
    const stream = one.stream();
    const out = new Float32Array(steps * count);
    const x = draw().subarray(0, steps);
    stream.run(x, out, steps);
    expect(out).toEqual(two.forward(x, { steps }).output);
    const copy = loadModel(engine, saveModel(one));
    expect(copy.forward(x, { steps }).output).toEqual(out);
    for (const model of [one, two, copy]) model.dispose();
  });

  it.each(['adam', 'sgd', 'rmsprop'] as const)('%s trains as in float64', (type) => {
    const description: ModelDescription = {
      layers: [table(5, 6), recurrentLayer({ type: 'lstm' }, { hiddenSize: 6 }), tied],
    };
    const { pairs, moved, apart } = trainBoth(engine, {
      description,
      batch: 3,
      steps: 6,
      updates: 101,
      options: {
        loss: 'cross-entropy',
        optimizer: {
          type,
          lr: type === 'sgd' ? 0.1 : 0.01,
          ...(type === 'sgd' ? {} : { eps: 1e-3 }),
        },
      },
      seed: 5,
    });
    for (const pair of pairs) expect(lossError(pair)).toBeLessThanOrEqual(LOSS_TOLERANCE);
    expect(moved).toBeGreaterThan(0.02);
    expect(apart).toBeLessThanOrEqual(1e-3);
  });

  it('a state_dict of PyTorch has the weight under both names or one of them', () => {
    const layers = [table(5, 3), { type: 'gru', hiddenSize: 3 }, tied] as const;
    const source = Model.create(engine, { layers }, { seed: 4 });
    const own = source.stateDict();
    const weight = own.get('characters.weight')!;
    const load = (change: (tensors: StateDict) => void): StateDict => {
      const tensors = new Map(own);
      change(tensors);
      const description = { layers };
      return loadPytorch(engine, writeSafetensors(tensors), { description }).stateDict();
    };
    expect(load((tensors) => tensors.set('head.weight', weight))).toEqual(own);
    const other = load((tensors) => {
      tensors.set('head.weight', weight);
      tensors.delete('characters.weight');
    });
    expect(other).toEqual(own);
    const apart = { shape: [5, 3], data: weight.data.map((value) => value + 1) };
    expect(() => load((tensors) => tensors.set('head.weight', apart))).toThrow(/without "tied"/);
    source.dispose();
  });

  it('refuses what cannot be tied, naming both', () => {
    const create =
      (...layers: LayerSpec[]) =>
      () =>
        Model.create(engine, { layers });
    const gru = { type: 'gru', inputSize: 4, hiddenSize: 4 } as const;
    expect(create(gru, tied)).toThrow(/"layers\[1\].tied" .* the model has none/);
    expect(create(table(9, 4), gru, { ...tied, tied: 'other' })).toThrow(
      /'characters', got 'other'/,
    );
    const wide = { ...gru, hiddenSize: 5 } as const;
    expect(create(table(9, 4), wide, tied)).toThrow(/5 inputs .* "characters" .*\[9, 4\]/);
    expect(create(table(9, 4), gru, { ...tied, outFeatures: 8 })).toThrow(/8 outputs, .*\[9, 4\]/);
    expect(create(table(9, 4), wide, { type: 'linear', outFeatures: 4 }, tied)).not.toThrow();
  });
});
