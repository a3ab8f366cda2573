/** A model whose layers read what they name does all that a chain does. */
import { afterAll, describe, expect, it } from 'vitest';
import { loadModel, saveModel } from '../../src/formats/safetensors.ts';
import { Engine, Model, Trainer, summary, type ModelDescription } from '../../src/hosts/default.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { startThreads } from '../support/threads.ts';

/** Keras' GRU of 2016. */
const CELL = { resetAfter: false, activations: ['sigmoid', 'relu'] } as const;

/** Two branches, concats of earlier outputs and two heads, the shape of a noise suppressor. */
const NET: ModelDescription = {
  layers: [
    { type: 'linear', name: 'front', inFeatures: 42, outFeatures: 24, activation: 'tanh' },
    { type: 'gru', name: 'voice', hiddenSize: 24, ...CELL },
    { type: 'linear', name: 'speaks', outFeatures: 1, activation: 'sigmoid' },
    { type: 'concat', name: 'both', inputs: ['front', 'voice', 'input'] },
    { type: 'gru', name: 'noise', hiddenSize: 48, ...CELL },
    { type: 'concat', name: 'all', inputs: ['voice', 'noise', 'input'] },
    { type: 'gru', name: 'denoise', hiddenSize: 96, ...CELL },
    { type: 'linear', name: 'gains', outFeatures: 22, activation: 'sigmoid' },
  ],
  outputs: ['gains', 'speaks'],
};
const [BATCH, STEPS] = [3, 12];

const random = createRandom(5);
const x = Float32Array.from(random.vector(BATCH * STEPS * 42, 1));
const half = (length: number): Float32Array =>
  Float32Array.from(random.vector(BATCH * STEPS * length, 1), (v) => (v + 1) / 2);
const target = { gains: half(22), speaks: half(1) };
const over = { steps: STEPS, batch: BATCH };
const options = {
  ...over,
  loss: { gains: 'mse', speaks: 'mse' },
  lossWeights: { speaks: 0.5 },
  optimizer: { type: 'adam', learningRate: 0.01 },
} as const;

const engines = variants.map((variant) => ({ variant, engine: createEngine(variant) }));

/** The bytes that a trainer needs at the least, out of the error of one that has fewer. */
function leastBytes(engine: Engine): number {
  const model = Model.create(engine, NET);
  try {
    Trainer.create(model, { ...options, maxBytes: 1 });
  } catch (error) {
    return Number(/at least (\d+)/.exec((error as Error).message)![1]);
  }
  throw new Error('one byte was enough');
}

describe.each(engines)('a graph, $variant SIMD', ({ engine }) => {
  const create = (): Model => Model.create(engine, NET, { seed: 3 });

  it('learns', () => {
    const trainer = Trainer.create(create(), options);
    const losses = Array.from({ length: 100 }, () => trainer.trainOn(x, target).loss);
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
  });

  it('streams with the bits of a whole sequence', () => {
    const model = create();
    const { outputs } = model.forward(x, over);
    const stream = model.stream({ batch: BATCH });
    const [gains, speaks] = [
      new Float32Array(target.gains.length),
      new Float32Array(BATCH * STEPS),
    ];
    stream.run(x.subarray(0, x.length / 2), { gains, speaks }, STEPS / 2);
    const rest = {
      gains: gains.subarray(gains.length / 2),
      speaks: speaks.subarray(speaks.length / 2),
    };
    stream.run(x.slice(x.length / 2), rest, STEPS / 2);
    expect({ gains, speaks }).toEqual(outputs);
  });

  it('has the same bits under a budget that cuts its steps, and over threads', async () => {
    const trained = (on: Engine, maxBytes?: number): [string, ...unknown[]][] => {
      const model = Model.create(on, NET, { seed: 3 });
      const trainer = Trainer.create(model, { ...options, ...(maxBytes && { maxBytes }) });
      for (let update = 0; update < 3; update++) trainer.trainOn(x, target);
      return [...model.stateDict()].map(([name, { data }]) => [name, ...data]);
    };
    const whole = trained(engine);
    expect(trained(engine, leastBytes(engine))).toEqual(whole);
    const team = await startThreads(engine.variant, 2);
    expect(trained(team)).toEqual(whole);
    team.dispose();
  });

  it('comes back from a file', () => {
    const model = create();
    const { outputs } = model.forward(x, over);
    const loaded = loadModel(engine, saveModel(model));
    expect(loaded.description).toEqual(model.description);
    expect(loaded.forward(x, over).outputs).toEqual(outputs);
  });

  // Node 20 multiplies bytes wrongly in relaxed SIMD, and refuses 8 bits there.
  it.runIf(engine.variant === 'baseline')('is nearly the same in 8 bits', () => {
    const model = create();
    const { output } = model.forward(x, over);
    const small = model.quantize().forward(x, over).output;
    for (const [k, value] of output.entries())
      expect(Math.abs(small[k]! - value)).toBeLessThan(0.02);
  });

  it('is summed up with every layer', () => {
    for (const { name } of NET.layers) expect(summary(create())).toContain(name);
  });
});

afterAll(() => {
  for (const { engine } of engines) engine.dispose();
});
