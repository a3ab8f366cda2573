/**
 * Who owns which bytes: nothing grows where nothing may, nobody writes into a neighbour's memory,
 * nothing of a former owner is seen, disposed things refuse work, and states that decay end in 0,
 * never in denormal numbers.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GatefoldError, Model, Trainer, type Engine } from '../../src/hosts/default.ts';
import type { LayerSpec, ModelDescription } from '../../src/ops/index.ts';
import { sameBits } from '../support/agreement.ts';
import { cellForms, recurrentLayer } from '../support/cells.ts';
import { churn } from '../support/churn.ts';
import { createEngine, variants } from '../support/engines.ts';
import { allocatedPerCall } from '../support/heap.ts';
import { createRandom } from '../support/random.ts';
import { silence } from '../support/silence.ts';

const forms = Object.entries(cellForms);
const linear: LayerSpec = { type: 'linear', outFeatures: 3 };
const description: ModelDescription = {
  layers: [{ type: 'lstm', inputSize: 5, hiddenSize: 19, numLayers: 2 }, linear],
};
const input = (length: number, seed = 1): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));

function expectError(code: string, f: () => unknown): void {
  let error: unknown;
  try {
    f();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(GatefoldError);
  expect((error as GatefoldError).code).toBe(code);
}

describe.each(variants)('memory, %s SIMD', (variant) => {
  const engines: Engine[] = [];
  const engine = createEngine(variant);
  engines.push(engine);
  afterAll(() => engines.forEach((one) => one.dispose()));

  it.each(forms)('forward of any length takes no memory: %s', (_, form) => {
    const model = Model.create(engine, {
      layers: [recurrentLayer(form, { inputSize: 3, hiddenSize: 9, numLayers: 2 }), linear],
    });
    model.forward(input(2 * 3), { steps: 1, batch: 2 });
    const before = engine.bytes;
    for (const steps of [7, 300, 20_000, 1]) {
      const { output } = model.forward(input(steps * 2 * 3), { steps, batch: 2 });
      expect(output.length).toBe(steps * 2 * 3);
      expect(engine.bytes).toBe(before);
    }
    model.dispose();
  });

  it('a long sequence in one call equals the same in pieces, to the bit', () => {
    const model = Model.create(engine, description, { seed: 3 });
    const steps = 5000;
    const x = input(steps * 5);
    const whole = model.forward(x, { steps });
    const half = model.forward(x.subarray(0, 1234 * 5), { steps: 1234 });
    const rest = model.forward(x.subarray(1234 * 5), { steps: steps - 1234, state: half.state });
    expect(sameBits(whole.output.subarray(1234 * 3), rest.output)).toBe(true);
    expect(sameBits(whole.state['lstm']!.c!, rest.state['lstm']!.c!)).toBe(true);
    model.dispose();
  });

  it.each([
    ['features', description],
    [
      'tokens',
      {
        layers: [
          { type: 'embedding', numEmbeddings: 9, embeddingDim: 6 },
          { type: 'gru', hiddenSize: 21, resetAfter: false },
          linear,
        ],
      },
    ],
    [
      'a delay',
      {
        layers: [
          { type: 'scale', inputSize: 5, factor: 0.5 },
          { type: 'delay', steps: 30 },
          { type: 'prelu' },
          linear,
        ],
      },
    ],
  ] as const)('streams allocate nothing per step: %s', (_, layers) => {
    const model = Model.create(engine, layers);
    const [stream, other] = [model.stream({ batch: 2 }), model.stream({ batch: 2 })];
    // 21 steps are a block of the kernels' size and some single steps.
    const steps = 21;
    const length = steps * 2 * model.inputSize;
    const block = model.takesTokens ? new Int32Array(length).fill(4) : input(length);
    const out = new Float32Array(steps * 2 * 3);
    const [single, singleOut] = [block.slice(0, length / steps), out.slice(0, 2 * 3)];
    const before = engine.bytes;
    expect(allocatedPerCall(() => stream.step(single, singleOut))).toBeLessThan(8);
    expect(allocatedPerCall(() => stream.run(block, out, steps), 40, 3000)).toBeLessThan(8);
    // One buffer of inputs and outputs, which are apart where they are used.
    const buffer = new ArrayBuffer(8 * (length + out.length));
    const inputs = model.takesTokens ? new Int32Array(buffer) : new Float32Array(buffer);
    const outputs = new Float32Array(buffer, 4 * length);
    const longer = (): void => stream.run(inputs, outputs, steps);
    expect(allocatedPerCall(longer, 40, 3000)).toBeLessThan(8);
    const kept = stream.save();
    expect(allocatedPerCall(() => void stream.save(kept))).toBeLessThan(8);
    expect(allocatedPerCall(() => stream.reset(0), 40, 3000)).toBeLessThan(8);
    expect(allocatedPerCall(() => stream.copyFrom(other), 40, 3000)).toBeLessThan(8);
    expect(engine.bytes).toBe(before);
    model.dispose();
  });

  it('a trainer takes all it needs when it is made', () => {
    const model = Model.create(engine, description);
    const options = { batch: 3, steps: 20, loss: 'mse' as const };
    const trainer = Trainer.create(model, { ...options, optimizer: { type: 'adam', lr: 1e-3 } });
    const before = engine.bytes;
    for (const steps of [1, 20, 13]) {
      trainer.trainOn(input(3 * steps * 5), input(3 * steps * 3), { steps });
      trainer.evaluateWindow(input(3 * steps * 5), input(3 * steps * 3), { steps });
      expect(engine.bytes).toBe(before);
    }
    model.dispose();
  });

  it('1,000 cycles of create and dispose stay flat', { timeout: 120_000 }, () => {
    const growth = churn(engine, 1000);
    expect(growth.engine).toBe(0);
    // The smallest object that could leak takes 12 bytes; what the compiler keeps of its own stays
    // below this.
    expect(growth.heap).toBeLessThan(2 ** 20);
  });

  it('nobody writes into a neighbour', () => {
    const make = (seed: number): Model => Model.create(engine, description, { seed });
    const models = [make(1), make(2), make(3)] as const;
    const streams = models.map((model) => model.stream({ batch: 3 }));
    for (const stream of streams) stream.run(input(4 * 3 * 5), new Float32Array(4 * 3 * 3), 4);
    const image = (): Float32Array[] =>
      [0, 2].flatMap((k) => [
        ...[...models[k]!.stateDict().values()].map(({ data }) => data),
        ...Object.values(streams[k]!.save()).flatMap(({ h, c }) => [h, c!]),
      ]);
    const before = image();
    const [, middle] = models;
    middle.forward(input(50 * 7 * 5), { steps: 50, batch: 7 });
    streams[1]!.run(input(9 * 3 * 5), new Float32Array(9 * 3 * 3), 9);
    const trainer = Trainer.create(middle, {
      batch: 7,
      steps: 11,
      loss: 'mse',
      optimizer: { type: 'rmsprop', lr: 0.1 },
    });
    for (let k = 0; k < 3; k++) trainer.trainOn(input(7 * 11 * 5, k), input(7 * 11 * 3, k));
    const after = image();
    expect(before.length).toBeGreaterThan(20);
    before.forEach((array, k) => expect(sameBits(array, after[k]!)).toBe(true));
    for (const model of models) model.dispose();
  });

  it('a new owner finds zeros where a former one had a state', () => {
    const x = input(3 * 5);
    const fresh = new Float32Array(3 * 3);
    const used = new Float32Array(3 * 3);
    const model = Model.create(engine, description, { seed: 5 });
    const first = model.stream({ batch: 3 });
    first.step(x, fresh);
    first.run(input(40 * 3 * 5), new Float32Array(40 * 3 * 3), 40);
    first.dispose();
    const second = model.stream({ batch: 3 });
    second.step(x, used);
    expect(sameBits(fresh, used)).toBe(true);
    second.reset();
    second.step(x, used);
    expect(sameBits(fresh, used)).toBe(true);
    model.dispose();
  });

  it('a model over the limit is refused and leaves the engine usable', () => {
    const small = createEngine(variant, 4 * 2 ** 20);
    engines.push(small);
    const model = Model.create(small, description, { seed: 7 });
    const before = model.forward(input(5), { steps: 1 }).output;
    const huge = { layers: [{ type: 'lstm' as const, inputSize: 1000, hiddenSize: 1000 }] };
    for (let k = 0; k < 50; k++) expectError('ERR_MEMORY', () => Model.create(small, huge));
    expectError('ERR_MEMORY', () => Trainer.create(model, { batch: 1000, steps: 1000 }));
    expect(small.bytes).toBeLessThanOrEqual(small.maxBytes);
    expect(sameBits(model.forward(input(5), { steps: 1 }).output, before)).toBe(true);
  });

  it('use after dispose throws', () => {
    const model = Model.create(engine, description);
    const stream = model.stream();
    const orphan = model.stream();
    const trainer = Trainer.create(model, {
      batch: 1,
      steps: 2,
      loss: 'mse',
      optimizer: { type: 'sgd', lr: 0.1 },
    });
    const [x, out] = [input(5), new Float32Array(3)];
    const state = stream.save();
    stream.dispose();
    for (const use of [
      () => stream.step(x, out),
      () => stream.run(x, out, 1),
      () => stream.reset(),
      () => stream.clone(),
      () => stream.save(),
      () => stream.save(state),
      () => stream.restore(state),
    ]) {
      expectError('ERR_DISPOSED', use);
    }
    trainer.dispose();
    for (const use of [
      () => trainer.forward(x, { steps: 1 }),
      () => trainer.backward({ output: out }),
      () => trainer.trainOn(x, out, { steps: 1 }),
      () => trainer.evaluateWindow(x, out, { steps: 1 }),
      () => trainer.zeroGradients(),
      () => trainer.gradients(),
      () => trainer.update(),
      () => trainer.snapshot(),
      () => trainer.resetState(),
    ]) {
      expectError('ERR_DISPOSED', use);
    }
    model.dispose();
    for (const use of [
      () => model.forward(x, { steps: 1 }),
      () => model.stream(),
      () => model.stateDict(),
      () => model.loadStateDict(new Map()),
      () => Trainer.create(model, { batch: 1, steps: 1 }),
      () => orphan.step(x, out),
    ]) {
      expectError('ERR_DISPOSED', use);
    }
    // Disposing twice is no error, and must not free what someone else got since.
    const next = Model.create(engine, description, { seed: 9 });
    const parameters = next.stateDict();
    for (const one of [stream, orphan, trainer, model]) one.dispose();
    const other = Model.create(engine, description, { seed: 10 });
    for (const [name, { data }] of next.stateDict()) {
      expect(sameBits(data, parameters.get(name)!.data)).toBe(true);
    }
    for (const one of [next, other]) one.dispose();
  });

  it('everything of a disposed engine throws', () => {
    const doomed = createEngine(variant);
    const model = Model.create(doomed, description);
    const stream = model.stream();
    doomed.dispose();
    expectError('ERR_DISPOSED', () => Model.create(doomed, description));
    expectError('ERR_DISPOSED', () => model.forward(input(5), { steps: 1 }));
    expectError('ERR_DISPOSED', () => stream.step(input(5), new Float32Array(3)));
  });

  it.each(forms)('a minute of silence leaves no denormal state: %s', (_, form) => {
    // A control rate of 500 frames a second; test/slow has the audio rate.
    silence(engine, form, 60 * 500);
  });

  it.each(['rmsprop', 'adam', 'adamw'] as const)('moments of %s never go denormal', (type) => {
    const model = Model.create(engine, description);
    const decay = type === 'rmsprop' ? { alpha: 0.7 } : { betas: [0.6, 0.8] as [number, number] };
    const trainer = Trainer.create(model, {
      batch: 1,
      steps: 3,
      loss: 'mse',
      optimizer: { type, lr: 1e-3, ...decay } as never,
    });
    trainer.trainOn(input(15), input(9));
    trainer.zeroGradients();
    let decayed = 0;
    for (let k = 0; k < 600; k++) {
      trainer.update();
      if (k % 10) continue;
      decayed = 0;
      for (const [name, { data }] of trainer.snapshot().tensors) {
        for (const value of data) {
          const denormal = value !== 0 && Math.abs(value) < 2 ** -126;
          if (denormal) expect.fail(`${name} holds ${value} after ${k} updates`);
          if (value === 0) decayed++;
        }
      }
    }
    // All moments had the time to go through the range of the denormals.
    expect(decayed).toBeGreaterThanOrEqual(model.parameterCount);
    model.dispose();
  });
});

describe('an error for want of memory', () => {
  it('names what would help', () => {
    const own = createEngine('relaxed', 2 ** 20);
    const layers = [{ type: 'lstm', inputSize: 64, hiddenSize: 64 }] as const;
    const large = [{ type: 'lstm', inputSize: 512, hiddenSize: 512 }] as const;
    const messageOf = (use: () => unknown): string => {
      try {
        use();
      } catch (error) {
        expect(error).toBeInstanceOf(GatefoldError);
        expect((error as GatefoldError).code).toBe('ERR_MEMORY');
        return (error as Error).message;
      }
      throw new Error('there was enough');
    };
    const tooLarge = messageOf(() => Model.create(own, { layers: large }));
    expect(tooLarge).toMatch(/Engine.create\(\{ maxBytes \}\)\), or describe a smaller model$/);
    expect(tooLarge).not.toMatch(/dispose|steps/);
    const models: Model[] = [];
    const full = messageOf(() => {
      for (;;) models.push(Model.create(own, { layers }));
    });
    expect(full).toMatch(
      new RegExp(`${models.length} objects hold .* of it: dispose\\(\\) models`),
    );
    const [model] = models;
    const tooLong = messageOf(() =>
      model!.forward(new Float32Array(64e4), { steps: 10, batch: 1e3 }),
    );
    expect(tooLong).toMatch(/or use fewer steps or a smaller batch$/);
    own.dispose();
  });
});
