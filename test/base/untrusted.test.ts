/**
 * What callers and files give is copied, checked and only then used: a refused call leaves
 * parameters, states and outputs as they were, and nobody's number reaches a neighbour's memory.
 */
import { describe, expect, it } from 'vitest';
import { LOSS_CLASSES } from '../../assembly/shared/codes.ts';
import { owned, overtakes } from '../../src/base/arrays.ts';
import { kernelsOf } from '../../src/engine/engine.ts';
import { loadTrainer, saveTrainer } from '../../src/formats/safetensors.ts';
import { GatefoldError, Model, Trainer } from '../../src/hosts/default.ts';
import type {
  Engine,
  LayerSpec,
  ModelDescription,
  Snapshot,
  TrainerOptions,
} from '../../src/hosts/default.ts';
import { Kernels } from '../../src/kernels/index.ts';
import { Plan } from '../../src/engine/plan.ts';
import { sameBits } from '../support/agreement.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';

const TOKENS = 5;
const ofTokens: ModelDescription = {
  layers: [
    { type: 'embedding', numEmbeddings: TOKENS, embeddingDim: 4 },
    { type: 'gru', hiddenSize: 4 },
    { type: 'linear', outFeatures: TOKENS },
  ],
};
const ofFeatures: ModelDescription = {
  layers: [
    { type: 'lstm', inputSize: 4, hiddenSize: 8 },
    { type: 'linear', outFeatures: 4 },
  ],
};
const floats = (length: number, seed = 1): Float32Array =>
  Float32Array.from(createRandom(seed).vector(length, 1));
const tokens = (length: number): Int32Array => Int32Array.from({ length }, (_, k) => k % TOKENS);

/** All bits of a model's parameters. */
function bitsOf(model: Model): Int32Array {
  return Int32Array.from(
    [...model.stateDict().values()].flatMap(({ data }) => [
      ...new Int32Array(data.buffer, data.byteOffset, data.length),
    ]),
  );
}

function codeOf(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(GatefoldError);
    return (error as GatefoldError).code;
  }
  return 'no error';
}

/** Models before and behind what `make` makes; the check that they are as they were. */
function between<T>(engine: Engine, make: () => T): { made: T; requireUntouched: () => void } {
  const layers = [{ type: 'linear' as const, inFeatures: 32, outFeatures: 32 }];
  const neighbour = (seed: number): Model => Model.create(engine, { layers }, { seed });
  const before = neighbour(1);
  const made = make();
  const all = [before, neighbour(2), neighbour(3), neighbour(4)];
  const bits = all.map(bitsOf);
  const requireUntouched = (): void =>
    all.forEach((model, k) => expect(bitsOf(model)).toEqual(bits[k]));
  return { made, requireUntouched };
}

describe('arrays of callers', () => {
  const engine = createEngine('baseline');
  const model = Model.create(engine, ofTokens);
  const options: TrainerOptions = { batch: 1, steps: 4, loss: 'cross-entropy' };

  it('are what their slots say, whatever a subclass says', () => {
    class Liar extends Int32Array {
      override subarray(): Int32Array<ArrayBuffer> {
        return Int32Array.of(900, 900, 900, 900);
      }
      override slice(): Int32Array<ArrayBuffer> {
        return this.subarray();
      }
    }
    const { made, requireUntouched } = between(engine, () => {
      const make = (): Trainer => Trainer.create(Model.create(engine, ofTokens), options);
      return [make(), make()] as const;
    });
    const honest = made[0].trainOn(new Int32Array(4).fill(2), new Int32Array(4).fill(3)).loss;
    const lying = made[1].trainOn(new Liar(4).fill(2), new Liar(4).fill(3)).loss;
    expect(lying).toBe(honest);
    requireUntouched();
  });

  it('cannot be proxies, nor have a length of their own', () => {
    const proxy = new Proxy(new Int32Array(4), { get: () => 4 });
    expect(codeOf(() => model.forward(proxy, { steps: 4 }))).toBe('ERR_ARGUMENT');
    class Long extends Float32Array {
      override get length(): number {
        return 4;
      }
    }
    const features = Model.create(engine, ofFeatures);
    expect(codeOf(() => features.forward(new Long(400), { steps: 1 }))).toBe('ERR_SHAPE');
    const stream = features.stream();
    expect(codeOf(() => stream.step(new Long(0), new Float32Array(4)))).toBe('ERR_SHAPE');
    expect(codeOf(() => stream.step(new Float32Array(4), new Long(0)))).toBe('ERR_SHAPE');
    const kernels = Kernels.create(engine);
    expect(codeOf(() => kernels.lstmCell(new Float32Array(16), new Long(0), 4))).toBe('ERR_SHAPE');
    expect(codeOf(() => kernels.sigmoid(floats(8), new Long(0)))).toBe('ERR_SHAPE');
  });

  it('are copied where other threads share them, and viewed elsewhere', () => {
    const shared = new Int32Array(new SharedArrayBuffer(16));
    const copy = owned('Int32Array', shared);
    const plain = tokens(4);
    const view = owned('Int32Array', plain);
    shared[0] = 7;
    plain[0] = 7;
    expect([copy[0], view[0]]).toEqual([0, 7]);
    const x = new Int32Array(new SharedArrayBuffer(16));
    x.set(tokens(4));
    const { output } = model.forward(tokens(4), { steps: 4 });
    expect(sameBits(model.forward(x, { steps: 4 }).output, output)).toBe(true);
    const out = new Float32Array(new SharedArrayBuffer(4 * output.length));
    model.stream().run(x, out, 4);
    expect(sameBits(out, output)).toBe(true);
  });

  it('are refused as parameters and labels where their buffer has gone', () => {
    const gone = <T extends Float32Array | Int32Array>(array: T): T => {
      structuredClone(array.buffer, { transfer: [array.buffer] });
      return array;
    };
    const tensors = model.stateDict();
    const [name, { shape, data }] = [...tensors][0]!;
    tensors.set(name, { shape, data: gone(data) });
    expect(codeOf(() => model.loadStateDict(tensors))).toBe('ERR_SHAPE');
    const trainer = Trainer.create(model, { batch: 1, steps: 4, loss: 'ctc' });
    const step = (): unknown => trainer.trainOn(tokens(4), gone(tokens(2)), { targetLengths: [2] });
    expect(codeOf(step)).toBe('ERR_ARGUMENT');
  });

  it.each([
    ['detached', (x: Int32Array) => void structuredClone(x.buffer, { transfer: [x.buffer] })],
  ])('are refused when they are %s', (_, spoil) => {
    const x = tokens(4);
    spoil(x);
    expect(codeOf(() => model.forward(x, { steps: 4 }))).toBe('ERR_SHAPE');
    expect(codeOf(() => model.stream().run(x, new Float32Array(20), 4))).toBe('ERR_SHAPE');
  });

  /** Floats of one buffer, from byte `at` on. */
  const at = (buffer: ArrayBuffer, from: number, length: number): Float32Array =>
    new Float32Array(buffer, from, length);

  it.each([0, 4, 8, 60, -4, -100])(
    'may overlap: outputs %i bytes behind the inputs',
    (distance) => {
      const copying = Model.create(engine, {
        layers: [
          { type: 'gru', inputSize: 1, hiddenSize: 4 },
          { type: 'linear', outFeatures: 1 },
        ],
      });
      const steps = 50;
      const buffer = new ArrayBuffer(4 * steps + 400);
      const x = at(buffer, 200, steps);
      const out = at(buffer, 200 + distance, steps);
      x.set(floats(steps));
      const wanted = new Float32Array(steps);
      copying.stream().run(x.slice(), wanted, steps);
      copying.stream().run(x, out, steps);
      expect(sameBits(out, wanted)).toBe(true);
      expect(overtakes(out, steps, at(buffer, 200, steps), steps)).toBe(distance > 0);
    },
  );

  it('may hold tokens under the outputs of other steps', () => {
    const buffer = new ArrayBuffer(4 * 400);
    const x = new Int32Array(buffer, 0, 40);
    x.set(tokens(40));
    const out = new Float32Array(buffer, 64, 40 * TOKENS);
    const wanted = new Float32Array(40 * TOKENS);
    model.stream().run(x.slice(), wanted, 40);
    model.stream().run(x, out, 40);
    expect(sameBits(out, wanted)).toBe(true);
  });

  it('leave a stream as it was where a late token is wrong', () => {
    const stream = model.stream();
    const x = tokens(100);
    const out = new Float32Array(100 * TOKENS).fill(7);
    stream.step(tokens(1), new Float32Array(TOKENS));
    const before = stream.save();
    x[99] = TOKENS;
    expect(codeOf(() => stream.run(x, out, 100))).toBe('ERR_ARGUMENT');
    expect(stream.save()).toEqual(before);
    expect(out.every((value) => value === 7)).toBe(true);
  });
});

describe('options of callers', () => {
  const engine = createEngine('baseline');
  const model = Model.create(engine, ofFeatures);
  const options = {
    batch: 2,
    steps: 20,
    loss: 'mse',
    optimizer: { type: 'sgd', lr: 0.1 },
  } as const;

  it('are copied for a trainer, and nobody can change the copy', () => {
    const bptt = { back: 20, every: 10 };
    const betas: [number, number] = [0.9, 0.99];
    const optimizer = { type: 'adam', lr: 0.1, betas } as const;
    const trainer = Trainer.create(model, { ...options, bptt, optimizer });
    Object.assign(bptt, { back: 5000, every: 20 });
    betas[0] = 7;
    expect(trainer.options.bptt).toEqual({ back: 20, every: 10 });
    expect(trainer.options.optimizer).toEqual({ type: 'adam', lr: 0.1, betas: [0.9, 0.99] });
    expect(() => Object.assign(trainer.options, { batch: 4000 })).toThrow(TypeError);
    expect(() => Object.assign(trainer.options.bptt!, { every: 20 })).toThrow(TypeError);
    expect(() => Object.assign(trainer, { options: { ...options, batch: 4000 } })).toThrow(
      TypeError,
    );
    expect(() => Object.assign(model, { outputSize: 4000 })).toThrow(TypeError);
    expect(() => Object.assign(model.stream(), { batch: 4000 })).toThrow(TypeError);
    expect(() => Object.assign(model.description.layers, { 0: {} })).toThrow(TypeError);
    const { betas: own } = trainer.options.optimizer as { betas: readonly number[] };
    expect(() => Object.assign(own, { 0: 7 })).toThrow(TypeError);
    // A window of the steps that were changed is refused, as is a snapshot that would replay as
    // many.
    expect(codeOf(() => trainer.trainOn(floats(160), floats(160)))).toBe('ERR_SHAPE');
    trainer.trainOn(floats(80), floats(80));
    const snapshot = trainer.snapshot();
    snapshot.metadata.replay = '2000';
    expect(codeOf(() => trainer.restore(snapshot))).toBe('ERR_ARGUMENT');
    trainer.dispose();
  });

  it('are plain data', () => {
    const wrong = { ...options, loss: { type: 'mse', delta: () => 1 } };
    expect(codeOf(() => Trainer.create(model, wrong as never))).toBe('ERR_ARGUMENT');
    const endless: Record<string, unknown> = { ...options };
    endless.groups = [endless];
    expect(codeOf(() => Trainer.create(model, endless as never))).toBe('ERR_ARGUMENT');
    const layers: LayerSpec[] = [];
    layers.length = 2 ** 31;
    expect(codeOf(() => Model.create(engine, { layers }))).toBe('ERR_ARGUMENT');
  });

  it.each(['steps', 'lengths'])('may dispose the trainer by the getter of %s', (key) => {
    const trainer = Trainer.create(model, options);
    let later: ReturnType<typeof between<undefined>> | undefined;
    const given = {
      get [key](): unknown {
        trainer.dispose();
        later ??= between(engine, () => undefined);
        return key === 'steps' ? 20 : [20, 19];
      },
    };
    expect(codeOf(() => trainer.trainOn(floats(160), floats(160), given))).toBe('ERR_DISPOSED');
    later!.requireUntouched();
  });

  it('may dispose a model or an engine by a getter', () => {
    const dying = createEngine('baseline');
    const [first, second] = [Model.create(dying, ofFeatures), Model.create(dying, ofFeatures)];
    const disposing = (what: { dispose(): void }): { steps: number } => ({
      get steps(): number {
        what.dispose();
        return 20;
      },
    });
    expect(codeOf(() => first.forward(floats(80), disposing(first)))).toBe('ERR_DISPOSED');
    expect(codeOf(() => second.forward(floats(80), disposing(dying)))).toBe('ERR_DISPOSED');
  });

  it('may run another pass between forward and backward by a getter', () => {
    const trainer = Trainer.create(model, options);
    trainer.forward(floats(160), { steps: 20 });
    const gradients = {
      get output(): Float32Array {
        trainer.forward(floats(8), { steps: 1 });
        return floats(160);
      },
    };
    expect(codeOf(() => trainer.backward(gradients))).toBe('ERR_STATE');
  });

  it('are read once: a call cannot be given other steps after its check', () => {
    const trainer = Trainer.create(Model.create(engine, ofFeatures), options);
    let reads = 0;
    const given = {
      get steps(): number {
        return reads++ ? 5000 : 10;
      },
    };
    const { loss } = trainer.trainOn(floats(80), floats(80), given);
    expect(reads).toBe(1);
    const oracle = Trainer.create(Model.create(engine, ofFeatures), options);
    expect(loss).toBe(oracle.trainOn(floats(80), floats(80), { steps: 10 }).loss);
  });

  it('are read once: a description cannot change between check and use', () => {
    let reads = 0;
    const layer = {
      type: 'lstm' as const,
      inputSize: 2,
      projSize: 2,
      get hiddenSize(): number {
        return reads++ ? 2 ** 20 : 4;
      },
    };
    const { description } = Model.create(engine, { layers: [layer] });
    expect(reads).toBe(1);
    expect(description.layers[0]).toMatchObject({ hiddenSize: 4, projSize: 2 });
  });

  it.each(['constructor', 'toString', 'valueOf', 'hasOwnProperty'])('name a layer %s', (name) => {
    const named = Model.create(engine, {
      layers: [{ type: 'gru', name, inputSize: 2, hiddenSize: 3 }],
    });
    const { output, state } = named.forward(floats(4), { steps: 2 });
    const stream = named.stream();
    stream.restore(state);
    expect(stream.save()).toEqual(state);
    const half = named.forward(floats(4).subarray(0, 2), { steps: 1 });
    const rest = named.forward(floats(4).subarray(2), { steps: 1, state: half.state });
    expect(sameBits(rest.output, output.subarray(3))).toBe(true);
    named.dispose();
  });
});

describe('a snapshot', () => {
  const engine = createEngine('baseline');
  const options: TrainerOptions = {
    batch: 1,
    steps: 8,
    bptt: { back: 8, every: 4 },
    loss: 'cross-entropy',
    optimizer: { type: 'sgd', lr: 1 },
  };
  const [x, target] = [Int32Array.of(1, 2, 3, 4), Int32Array.of(2, 3, 4, 1)];
  const make = (): Trainer => {
    const trainer = Trainer.create(Model.create(engine, ofTokens), options);
    trainer.trainOn(x, target);
    return trainer;
  };
  const withToken = (snapshot: Snapshot, token: number): Snapshot => {
    const kept = snapshot.tensors.get('carry.inputs')!;
    const data = kept.data.slice();
    new Int32Array(data.buffer)[2] = token;
    return {
      ...snapshot,
      tensors: new Map(snapshot.tensors).set('carry.inputs', { ...kept, data }),
    };
  };

  it.each([-1200, -1, TOKENS, 600, 2 ** 24, 2 ** 31 - 1])('of token %i is refused', (token) => {
    const { made, requireUntouched } = between(engine, () => [make(), make()] as const);
    const [attacked, untouched] = made;
    const before = bitsOf(attacked.model);
    expect(codeOf(() => attacked.restore(withToken(attacked.snapshot(), token)))).toBe(
      'ERR_ARGUMENT',
    );
    expect(bitsOf(attacked.model)).toEqual(before);
    // The same in a file, whose checksum an attacker computes as well.
    const file = saveTrainer(attacked, { snapshot: withToken(attacked.snapshot(), token) });
    expect(codeOf(() => loadTrainer(attacked, file))).toBe('ERR_FORMAT');
    expect(attacked.trainOn(x, target)).toEqual(untouched.trainOn(x, target));
    requireUntouched();
  });

  it('whose map says another thing the second time is read once', () => {
    const trainer = make();
    const { tensors, metadata } = trainer.snapshot();
    let walks = 0;
    const twoFaced = new Map(tensors);
    const evil = withToken({ tensors, metadata }, 600).tensors;
    const honest = twoFaced[Symbol.iterator].bind(twoFaced);
    twoFaced[Symbol.iterator] = () => (walks++ ? evil[Symbol.iterator]() : honest());
    trainer.restore({ tensors: twoFaced, metadata });
    expect(walks).toBe(1);
  });

  it.each([undefined, 5, [5], [['a', 5]], new Map([['a', { shape: [1], data: [1] }]])])(
    'is a map of tensors, not %j',
    (tensors) => {
      const trainer = make();
      const { metadata } = trainer.snapshot();
      const given = { tensors, metadata } as unknown as Snapshot;
      expect(codeOf(() => trainer.restore(given))).toBe('ERR_ARGUMENT');
      expect(codeOf(() => trainer.model.loadStateDict(tensors as never))).toBe('ERR_ARGUMENT');
    },
  );
});

// The facade refuses such numbers before; these are the kernels alone.
describe.each(variants)('kernels trap where an index is none of theirs, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const kernels = kernelsOf(engine);
  const { run, arena } = kernels;
  const plan = new Plan();
  const [index, table, out] = [plan.reserve(4), plan.reserve(4 * 4), plan.reserve(4 * 4)];
  const [loss, ctc] = [plan.descriptor('Loss'), plan.descriptor('Ctc')];
  plan.place(arena.allocate(plan.bytes, 'a test'));
  const lookup = new Plan();
  const tokens = lookup.descriptor('Lookup');
  lookup.place(arena.allocate(lookup.bytes, 'a test'));
  const sizes = { rows: 1, count: 4, rowBytes: 16 };
  kernels.write(tokens, { ...sizes, table, out, dTable: table, dOut: out });
  const withTokens = (at: number): number => {
    kernels.write(tokens, { tokens: at });
    return tokens.address;
  };
  kernels.write(loss, {
    kind: LOSS_CLASSES,
    rows: 1,
    width: 4,
    outputs: out,
    outputRow: 16,
    targets: index,
    losses: table,
    weights: table,
    ignored: -9,
  });
  kernels.write(ctc, {
    outputs: out,
    outputRow: 16,
    offsets: out,
    width: 4,
    blank: 0,
    row: 0,
    steps: 1,
    labels: index,
    count: 1,
    scratch: table,
  });
  const calls: Record<string, (at: number) => unknown> = {
    embedding_forward: (at) => run.embedding_forward(withTokens(at)),
    embedding_backward: (at) => run.embedding_backward(withTokens(at)),
    loss_weight: () => run.loss_weight(loss.address, 0),
    loss_rows: () => run.loss_rows(loss.address),
    loss_score: () => run.loss_score(loss.address, 0),
    loss_ctc: () => run.loss_ctc(ctc.address),
  };

  it.each(Object.entries(calls))('%s', (_, call) => {
    for (const bad of [-1, 4, 1000, -(2 ** 31), 2 ** 31 - 1]) {
      kernels.integers(index)[0] = bad;
      withTokens(index.address);
      const before = arena.floats.slice();
      expect(() => call(index.address)).toThrow(WebAssembly.RuntimeError);
      expect(sameBits(arena.floats, before)).toBe(true);
    }
    kernels.integers(index)[0] = 3;
    expect(() => call(index.address)).not.toThrow();
    kernels.zero(out);
    kernels.zero(table);
  });
});

describe('options that are true or false', () => {
  const engine = createEngine('baseline');
  const layer = { type: 'gru', inputSize: 2, hiddenSize: 3 } as const;
  const model = Model.create(engine, { layers: [layer] });
  const steps = { steps: 2 };
  const uses: Record<string, (value: unknown) => unknown> = {
    'layers[0].layerNorm': (layerNorm) =>
      Model.create(engine, { layers: [{ ...layer, layerNorm } as never] }),
    'layers[0].bias': (bias) => Model.create(engine, { layers: [{ ...layer, bias } as never] }),
    batchFirst: (batchFirst) => model.forward(floats(4), { ...steps, batchFirst } as never),
    'loss.zeroInfinity': (zeroInfinity) =>
      Trainer.create(model, { batch: 1, steps: 2, loss: { type: 'ctc', zeroInfinity } as never }),
    'optimizer.nesterov': (nesterov) =>
      Trainer.create(model, {
        batch: 1,
        steps: 2,
        optimizer: { type: 'sgd', lr: 1, momentum: 0.5, nesterov } as never,
      }),
  };

  it.each(Object.entries(uses))('are nothing else: %s', (name, use) => {
    for (const value of [true, false, undefined]) expect(() => use(value)).not.toThrow();
    for (const value of ['true', 'no', 0, 1, null]) {
      expect(() => use(value)).toThrow(`"${name}" expected true or false`);
    }
  });
});
