import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  loadModel,
  loadTrainer,
  readSafetensors,
  saveModel,
  saveTrainer,
  writeSafetensors,
} from '../../src/formats/safetensors.ts';
import { loadPytorch, readPytorch } from '../../src/formats/pytorch.ts';
import { Engine, GatefoldError, Model, Trainer } from '../../src/hosts/default.ts';
import type { LayerSpec, StateDict, Tensor } from '../../src/hosts/default.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ simd: 'deterministic' });
});
afterAll(() => engine.dispose());

const STACKS: LayerSpec[] = [
  { type: 'rnn', hiddenSize: 5, nonlinearity: 'relu' },
  { type: 'lstm', hiddenSize: 6, numLayers: 2 },
  { type: 'lstm', hiddenSize: 6, peephole: 'diagonal', inputForget: true, bias: false },
  { type: 'lstm', hiddenSize: 4, peephole: 'cell' },
  { type: 'gru', hiddenSize: 7 },
  { type: 'gru', hiddenSize: 3, resetAfter: false },
  { type: 'gru', hiddenSize: 3, dropout: 0.25, zoneout: 0.1, clip: 1e-7, numLayers: 2 },
  {
    type: 'rnn',
    hiddenSize: 3,
    activations: [{ type: 'affine', alpha: -0.1, beta: 1 / 3 }],
  },
];
const CHARACTERS = 11;

function textModel(stack: LayerSpec, seed = 1): Model {
  const layers: LayerSpec[] = [
    { type: 'embedding', numEmbeddings: CHARACTERS, embeddingDim: 4 },
    stack,
    { type: 'linear', outFeatures: CHARACTERS },
  ];
  return Model.create(engine, { layers }, { seed });
}

function lstm(): Model {
  return Model.create(engine, { layers: [{ type: 'lstm', inputSize: 3, hiddenSize: 2 }] });
}

function refusal(act: () => unknown): GatefoldError {
  try {
    act();
  } catch (error) {
    if (error instanceof GatefoldError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The file with some of its metadata or tensors exchanged. */
function altered(
  bytes: Uint8Array,
  metadata: Record<string, string>,
  tensors?: (all: Map<string, Tensor>) => void,
): Uint8Array {
  const file = readSafetensors(bytes);
  tensors?.(file.tensors as Map<string, Tensor>);
  return writeSafetensors(file.tensors, { ...file.metadata, ...metadata });
}

describe('saveModel and loadModel', () => {
  it('keep the metadata of a model, and refuse more than a file holds', () => {
    const metadata = { classes: ['up', 'down'], sampleRate: 48000, nested: { of: [1, null] } };
    const description = { layers: [{ type: 'lstm', inputSize: 3, hiddenSize: 2 }] } as const;
    const model = Model.create(engine, description, { metadata });
    expect(loadModel(engine, saveModel(model)).metadata).toEqual(metadata);
    expect(model.quantize().metadata).toEqual(metadata);
    expect(lstm().metadata).toEqual({});
    const large = Model.create(engine, description, { metadata: { text: 'x'.repeat(2 ** 20) } });
    expect(refusal(() => saveModel(large)).code).toBe('ERR_ARGUMENT');
    const broken = altered(saveModel(model), { 'gatefold.metadata': '[1]' });
    expect(refusal(() => loadModel(engine, broken)).code).toBe('ERR_FORMAT');
  });

  it.each(STACKS)('give back a model to the bit: $type', (stack) => {
    const model = textModel(stack);
    const back = loadModel(engine, saveModel(model, { note: 'mine' }));
    expect(back.description).toEqual(model.description);
    expect(back.stateDict()).toEqual(model.stateDict());
    const tokens = Int32Array.from({ length: 20 }, (_, i) => i % CHARACTERS);
    expect(back.forward(tokens, { steps: 20 })).toEqual(model.forward(tokens, { steps: 20 }));
  });

  it('keep the metadata of the caller', () => {
    const bytes = saveModel(lstm(), { note: 'mine' });
    expect(readSafetensors(bytes).metadata.note).toBe('mine');
    expect(refusal(() => saveModel(lstm(), { 'gatefold.x': '' })).code).toBe('ERR_ARGUMENT');
  });

  const KEY = 'gatefold.model';
  it.each<[string, Record<string, string>]>([
    ['is not JSON', { [KEY]: '{' }],
    ['says something twice', { [KEY]: '{"layers":[],"layers":[]}' }],
    ['nests too deep', { [KEY]: '['.repeat(100_000) }],
    ['is null', { [KEY]: 'null' }],
    ['is text', { [KEY]: '"s3cr3t"' }],
    ['has no layers', { [KEY]: '{"layers":[]}' }],
    ['has layers that are none', { [KEY]: '{"layers":[null]}' }],
    ['has an unknown layer', { [KEY]: '{"layers":[{"type":"s3cr3t"}]}' }],
    ['has an unknown option', { [KEY]: '{"layers":[{"type":"lstm","s3cr3t":1}]}' }],
    ['has a size of zero', { [KEY]: '{"layers":[{"type":"gru","inputSize":3,"hiddenSize":0}]}' }],
    ['has a size as text', { [KEY]: '{"layers":[{"type":"gru","inputSize":3,"hiddenSize":"2"}]}' }],
    ['is of another model', { [KEY]: '{"layers":[{"type":"gru","inputSize":3,"hiddenSize":2}]}' }],
  ])('refuse a description that %s', (_, metadata) => {
    const error = refusal(() => loadModel(engine, altered(saveModel(lstm()), metadata)));
    expect(error.code).toBe('ERR_FORMAT');
    expect(error.message).not.toContain('s3cr3t');
  });

  it('refuse a description that wants all the memory there is', () => {
    const huge = '{"layers":[{"type":"lstm","inputSize":3,"hiddenSize":1000000}]}';
    const error = refusal(() => loadModel(engine, altered(saveModel(lstm()), { [KEY]: huge })));
    expect(['ERR_MEMORY', 'ERR_FORMAT']).toContain(error.code);
  });

  it('refuse tensors that are not those of the description', () => {
    const bytes = saveModel(lstm());
    const name = 'lstm.bias_ih_l0';
    const edits: ((all: Map<string, Tensor>) => void)[] = [
      (all) => all.delete(name),
      (all) => all.set('more', { shape: [1], data: new Float32Array(1) }),
      (all) => all.set(name, { shape: [4, 2], data: new Float32Array(8) }),
    ];
    for (const edit of edits) {
      expect(refusal(() => loadModel(engine, altered(bytes, {}, edit))).code).toBe('ERR_FORMAT');
    }
  });

  it('hold no memory after a refusal', () => {
    const bytes = altered(saveModel(lstm()), {}, (all) => all.delete('lstm.bias_ih_l0'));
    refusal(() => loadModel(engine, bytes));
    const before = engine.bytes;
    for (let i = 0; i < 2000; i++) refusal(() => loadModel(engine, bytes));
    expect(engine.bytes).toBe(before);
  });

  it('say so where a file is of somebody else', () => {
    const error = refusal(() => loadModel(engine, writeSafetensors(new Map())));
    expect(error.message).toMatch(/no "gatefold.model"; .*loadPytorch/);
  });
});

describe('saveTrainer and loadTrainer', () => {
  const [STEPS, BATCH] = [6, 3];
  const options = {
    batch: BATCH,
    steps: STEPS,
    loss: 'cross-entropy',
    optimizer: { type: 'adam', lr: 0.02 },
    gradClip: { norm: 1 },
  } as const;

  function train(trainer: Trainer, from: number, to: number): number[] {
    return Array.from({ length: to - from }, (_, i) => {
      const token = (_x: unknown, at: number): number => (7 * at + 3 * (from + i)) % CHARACTERS;
      const tokens = Int32Array.from({ length: STEPS * BATCH + 1 }, token);
      return trainer.trainOn(tokens.subarray(0, -1), tokens.subarray(1)).loss;
    });
  }

  it.each(STACKS)('go on to the last bit: $type', (stack) => {
    const straight = Trainer.create(textModel(stack), options);
    const expected = train(straight, 0, 8);
    const first = Trainer.create(textModel(stack), options);
    expect(train(first, 0, 5)).toEqual(expected.slice(0, 5));
    const bytes = saveTrainer(first);
    const second = Trainer.create(textModel(stack, 99), options);
    loadTrainer(second, bytes);
    expect(second.updates).toBe(5);
    expect(train(second, 5, 8)).toEqual(expected.slice(5));
    expect(second.model.stateDict()).toEqual(straight.model.stateDict());
  });

  it('keep what the caller adds, and loadModel reads the file too', () => {
    const trainer = Trainer.create(textModel(STACKS[1]!), options);
    train(trainer, 0, 2);
    const tensors: StateDict = new Map([['curve', { shape: [2], data: Float32Array.of(1, 2) }]]);
    const bytes = saveTrainer(trainer, { tensors, metadata: { note: 'mine' } });
    const extras = loadTrainer(Trainer.create(textModel(STACKS[1]!), options), bytes);
    expect([...extras.tensors.get('curve')!.data]).toEqual([1, 2]);
    expect(extras.metadata).toEqual({ note: 'mine' });
    expect(loadModel(engine, bytes).stateDict()).toEqual(trainer.model.stateDict());
  });

  it('refuse what no trainer wrote, or one of another model', () => {
    const trainer = Trainer.create(textModel(STACKS[0]!), options);
    const other = saveTrainer(Trainer.create(textModel(STACKS[1]!), options));
    const model = saveModel(trainer.model);
    expect(refusal(() => loadTrainer(trainer, model)).message).toMatch(/saveTrainer/);
    const before = trainer.snapshot();
    refusal(() => loadTrainer(trainer, other));
    refusal(() => loadTrainer(trainer, altered(other, { 'gatefold.trainer': '{"a":1}' })));
    refusal(() => loadTrainer(trainer, altered(other, { 'gatefold.trainer': '[' })));
    expect(trainer.snapshot()).toEqual(before);
  });
});

describe('loadPytorch', () => {
  function stateDict(prefix: string, rename = (name: string): string => name): Uint8Array {
    const source = Model.create(engine, lstm().description, { seed: 5 }).stateDict();
    return writeSafetensors(
      new Map([...source].map(([name, tensor]) => [prefix + rename(name), tensor])),
    );
  }

  it('takes the names as they are, below a prefix, or of the bare module', () => {
    const expected = Model.create(engine, lstm().description, { seed: 5 }).stateDict();
    const bare = (name: string): string => name.replace('lstm.', '');
    const files: [Uint8Array, string?][] = [
      [stateDict('')],
      [stateDict('encoder.'), 'encoder.'],
      [stateDict('', bare)],
      [stateDict('encoder.rnn.', bare), 'encoder.rnn.'],
    ];
    const { description } = lstm();
    for (const [bytes, prefix] of files) {
      for (const given of new Set([prefix, undefined])) {
        const model = loadPytorch(engine, bytes, { description, prefix: given });
        expect(model.stateDict()).toEqual(expected);
      }
    }
  });

  it.each<[string, (all: Map<string, Tensor>) => void, RegExp]>([
    [
      'a missing name',
      (all) => all.delete('lstm.weight_hh_l0'),
      /missing: lstm.weight_hh_l0; name/,
    ],
    [
      'no biases',
      (all) => ['ih', 'hh'].forEach((x) => all.delete(`lstm.bias_${x}_l0`)),
      /bias: false/,
    ],
    ['a reverse layer', add('lstm.weight_ih_l0_reverse'), /bidirectional: true/],
    ['a projection', add('lstm.weight_hr_l0'), /projSize/],
    ['names without end', addMany, /unexpected: lstm.x0, .*lstm.x5 and 94 more/],
    ['a name that paints a terminal', add('lstm.\x1b[31m'), /unexpected: lstm.\\u001b\[31m/],
    ['another size', add('lstm.bias_hh_l0'), /lstm.bias_hh_l0 \[1\] for \[8\]/],
  ])('refuses %s, and takes no memory', (_, edit, message) => {
    const { description } = lstm();
    const before = engine.bytes;
    const bytes = altered(stateDict(''), {}, edit);
    expect(refusal(() => loadPytorch(engine, bytes, { description })).message).toMatch(message);
    expect(engine.bytes).toBe(before);
  });

  it('gives an existing model what it reads', () => {
    const model = lstm();
    const bytes = stateDict('net.');
    model.loadStateDict(readPytorch(bytes, { description: model.description }).tensors);
    expect(model.stateDict()).toEqual(
      loadPytorch(engine, bytes, { description: model.description }).stateDict(),
    );
  });

  function add(name: string): (all: Map<string, Tensor>) => void {
    return (all) => all.set(name, { shape: [1], data: new Float32Array(1) });
  }

  function addMany(all: Map<string, Tensor>): void {
    for (let i = 0; i < 100; i++) add(`lstm.x${i}`)(all);
  }
});

describe('a file of format', () => {
  const bytes = (number: number): Uint8Array =>
    readFileSync(new URL(`../golden/format-${number}.safetensors`, import.meta.url));

  it('1 is refused with what wrote it and what to do', () => {
    expect(() => loadModel(engine, bytes(1))).toThrow(
      /has format 1, .* reads format 2; it was written by an older version: .* loadStateDict/,
    );
  });

  it('2 is read, all of it', () => {
    const model = loadModel(engine, bytes(2));
    const [layer] = model.description.layers;
    expect(layer).toMatchObject({ type: 'gru', hiddenSize: 3, merge: 'mean', clip: 3 });
    const { tensors } = readSafetensors(bytes(2));
    expect(tensors.size).toBe(model.stateDict().size);
    for (const [name, { data }] of model.stateDict()) expect(data).toEqual(tensors.get(name)!.data);
    model.dispose();
  });

  it('1 is refused in snapshots, too', () => {
    const model = Model.create(engine, { layers: [{ type: 'gru', inputSize: 2, hiddenSize: 3 }] });
    const trainer = Trainer.create(model, { batch: 1, steps: 2, loss: 'mse' });
    const snapshot = trainer.snapshot();
    delete snapshot.metadata.format;
    expect(() => trainer.restore(snapshot)).toThrow(/"snapshot" has format 1, .* reads format 2/);
    model.dispose();
  });

  it('of the future is refused', () => {
    const { tensors, metadata } = readSafetensors(bytes(2));
    const later = writeSafetensors(tensors, { ...metadata, 'gatefold.format': '3' });
    expect(() => loadModel(engine, later)).toThrow(/has format 3, .* update this package/);
  });
});
