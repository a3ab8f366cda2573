/**
 * Models of as many layers as there may be, and of one more. `test/slow` measures every kind at its
 * limit.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine, GatefoldError, Model, Trainer, gradientFlow } from '../../src/hosts/default.ts';
import type { LayerSpec, ModelDescription } from '../../src/hosts/default.ts';
import { loadModel, saveModel } from '../../src/formats/safetensors.ts';
import { MANY, costsOf } from '../support/many-layers.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ simd: 'deterministic' });
});
afterAll(() => engine.dispose());

const refusal = (description: ModelDescription): string => {
  try {
    Model.create(engine, description).dispose();
  } catch (error) {
    expect(error).toBeInstanceOf(GatefoldError);
    expect((error as GatefoldError).code).toBe('ERR_ARGUMENT');
    return (error as GatefoldError).message;
  }
  throw new Error('nothing was refused');
};

describe('the most layers', () => {
  const TOO_MANY = /more than 4096 layers and sub-layers, both directions counted/;
  const gru = { type: 'gru', inputSize: 1, hiddenSize: 1 } as const;
  const linear = { type: 'linear', inFeatures: 1, outFeatures: 1 } as const;
  const last = (layer: LayerSpec, numLayers: number): LayerSpec[] => [
    { ...layer, numLayers } as LayerSpec,
    linear,
  ];

  it('are 4,096, both directions and every sub-layer counted', () => {
    const before = engine.bytes;
    for (const layers of [
      last(gru, 4096),
      last({ ...gru, bidirectional: true, merge: 'sum' }, 2048),
      [...last(gru, 4095), linear],
      [...last(gru, 2048), ...last(gru, 2047)],
    ]) {
      expect(refusal({ layers })).toMatch(TOO_MANY);
    }
    expect(refusal({ layers: [{ ...gru, numLayers: 4097 }] })).toMatch(/numLayers.*from 1 to 4096/);
    const many = Array.from({ length: 4097 }, () => linear);
    expect(refusal({ layers: many })).toMatch(/length.*from 1 to 4096/);
    expect(engine.bytes).toBe(before);
    const model = Model.create(engine, { layers: last(gru, 4095) }, { init: 'zeros' });
    expect(model.description.layers).toHaveLength(2);
    model.dispose();
  });

  it('are all there', () => {
    const layers: LayerSpec[] = [linear];
    layers[2] = linear;
    expect(refusal({ layers })).toMatch(/layers\[1\]/);
  });
});

describe('names of layers', () => {
  const layer = (name: unknown): LayerSpec =>
    ({ type: 'lstm', name, inputSize: 2, hiddenSize: 2 }) as LayerSpec;

  it('have at most 256 characters, all of which UTF-8 can say', () => {
    const wrong = ['n'.repeat(257), 'n'.repeat(1e6), '', '__proto__', '\ud800', 1, { toString: 1 }];
    for (const name of wrong) {
      const message = refusal({ layers: [layer(name)] });
      expect(message).toMatch(/"layers\[0\].name" expected a name of at most 256 characters/);
      expect(message.length).toBeLessThan(300);
    }
    const model = Model.create(engine, { layers: [layer('n'.repeat(256))] });
    loadModel(engine, saveModel(model)).dispose();
    model.dispose();
  });

  it('and of options are cut in errors', () => {
    const odd = { ...(layer('lstm') as object), ['n'.repeat(1e6)]: 1 } as unknown as LayerSpec;
    const message = refusal({ layers: [odd] });
    expect(message).toMatch(/"layers\[0\]" has no option "n{80}…"; it takes/);
    expect(message.length).toBeLessThan(600);
  });

  it('are those that numbering gives where some are taken', () => {
    const types = ['gru', 'lstm', 'gru', 'gru', 'lstm'] as const;
    const layers = types.map((type) => ({ type, inputSize: 2, hiddenSize: 2 }) as LayerSpec);
    const named = [layer('gru2'), layer('gru4'), ...layers];
    const model = Model.create(engine, { layers: named });
    const names = model.description.layers.map(({ name }) => name);
    expect(names).toEqual(['gru2', 'gru4', 'gru', 'lstm', 'gru3', 'gru5', 'lstm2']);
    model.dispose();
  });

  it.each([
    'constructor',
    'toString',
    'valueOf',
    'hasOwnProperty',
    '__defineGetter__',
    'then',
    '7',
  ])('%s works everywhere, and does what another name does', (name) => {
    const [odd, usual] = [name, 'usual'].map((own) => {
      const model = Model.create(engine, { layers: [layer(own)] });
      const x = Float32Array.of(1, -1, 0.5, 2);
      const target = new Float32Array(4);
      const { output, state } = model.forward(x, { steps: 2 });
      const on = model.forward(x, { steps: 2, state: { [own]: state[own]! } });
      const none = model.forward(x, { steps: 2, state: {} });
      const stream = model.stream();
      stream.step(x.subarray(2), new Float32Array(2));
      const kept = stream.save();
      stream.restore(kept);
      const trainer = Trainer.create(model, {
        batch: 1,
        steps: 2,
        loss: 'mse',
        groups: [{ parameters: [own], lr: 0.01 }],
      });
      const { loss } = trainer.trainOn(x, target);
      const again = loadModel(engine, saveModel(model));
      return [
        [output, on.output, none.output, loss, again.forward(x, { steps: 2 }).output],
        [state, on.state, kept, model.gates(x, { steps: 2 })].map((by) => by[own]),
        gradientFlow(model, { x, steps: 2, target, loss: 'mse' })[own],
        Object.keys(state),
      ];
    });
    expect(odd!.slice(0, 3)).toEqual(usual!.slice(0, 3));
    expect(odd![3]).toEqual([name]);
  });
});

describe('every call is linear in the number of layers', () => {
  it.each(['layers with options', 'tied layers', 'sub-layers both ways'])('%s', (kind) => {
    const describe = MANY[kind]!;
    // Compiles what both then run.
    costsOf(engine, describe(64));
    const few = costsOf(engine, describe(256));
    const allowed = (call: string): number => 10 * Math.max(few.get(call)!, 10);
    // The least of up to four: a collection of garbage, or another test on the same core, in the
    // middle of a call says nothing about it.
    const least = costsOf(engine, describe(1024));
    for (let again = 0; again < 3; again++) {
      if ([...least].every(([call, cost]) => cost < allowed(call))) break;
      for (const [call, cost] of costsOf(engine, describe(1024))) {
        least.set(call, Math.min(least.get(call)!, cost));
      }
    }
    for (const [call, cost] of least) expect(cost, call).toBeLessThan(allowed(call));
  });
});
