import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeModule, loadPytorch, readPytorch } from '../../src/formats/pytorch.ts';
import type { PytorchOptions } from '../../src/formats/pytorch.ts';
import { saveModel, writeSafetensors } from '../../src/formats/safetensors.ts';
import { build } from '../../src/formats/shared/imported.ts';
import { Engine, Model } from '../../src/hosts/default.ts';
import type { GatefoldError, Input, ModelDescription, Tensor } from '../../src/hosts/default.ts';
import { checkPack, worstOf } from './pytorch-pack.ts';

const FOLDER = new URL('../fixtures/pytorch/', import.meta.url);
const read = (file: string): Uint8Array => readFileSync(new URL(file, FOLDER));

interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
interface Expected {
  readonly description: ModelDescription;
  readonly x: Numbers;
  readonly y: Numbers;
}
/** Made by make.py: what PyTorch computes in float64 with the weights of the files. */
const EXPECTED = JSON.parse(String(read('expected.json'))) as Record<string, Expected>;
const FILES = Object.keys(EXPECTED);
const [BATCH, STEPS] = [2, 5];
/** Relative to the largest output. */
const TOLERANCE = 1e-6;

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ simd: 'deterministic' });
});
afterAll(() => engine.dispose());

function outputOf(model: Model, { data }: Numbers): Float32Array {
  const x: Input = model.takesTokens ? Int32Array.from(data) : Float32Array.from(data);
  return model.forward(x, { steps: STEPS, batch: BATCH, batchFirst: true }).output;
}

function refusal(run: () => unknown): GatefoldError {
  try {
    run();
  } catch (error) {
    return error as GatefoldError;
  }
  throw new Error('nothing was refused');
}

describe('files that PyTorch wrote', () => {
  it.each(FILES)('%s gives the outputs of PyTorch', (file) => {
    const { description, x, y } = EXPECTED[file]!;
    const model = loadPytorch(engine, read(file), { description });
    expect(worstOf(outputOf(model, x), y.data)).toBeLessThan(TOLERANCE);
    model.dispose();
  });

  it('one pack of modules over all options: outputs, and parameters after a step', () => {
    const worst = checkPack(engine, read('pack.pt'));
    console.log(`PyTorch: worst differences ${JSON.stringify(worst)}`);
    expect(worst.cases).toBeGreaterThanOrEqual(20);
  });

  it('gives what it reads to safetensors, and the same outputs from there', () => {
    const { description, x, y } = EXPECTED['zip.pt']!;
    const { tensors } = readPytorch(read('zip.pt'), { prefix: 'model_state_dict.' });
    const model = loadPytorch(engine, writeSafetensors(tensors), { description });
    expect(worstOf(outputOf(model, x), y.data)).toBeLessThan(TOLERANCE);
  });

  it('tells modules, what it skips, and what else the file says', () => {
    const file = readPytorch(read('zip.pt'));
    expect(file.modules.map(({ name, isRecurrent }) => [name, isRecurrent])).toEqual([
      ['model_state_dict.lstm', true],
      ['model_state_dict.fc', false],
    ]);
    expect(file.metadata).toEqual({
      source: 'pytorch',
      file: { epoch: 3, classes: ['up', 'down'] },
    });
    expect([...file.tensors.keys()].filter((name) => name.includes('optimizer'))).toEqual([]);
    const { skipped } = readPytorch(read('lightning.ckpt'));
    expect(skipped).toEqual([{ name: 'state_dict.accuracy.total', dtype: 'I64', shape: [] }]);
  });

  it('keeps metadata with the model', () => {
    const { description } = EXPECTED['lightning.ckpt']!;
    const model = loadPytorch(engine, read('lightning.ckpt'), { description });
    expect(model.metadata).toEqual({
      source: 'pytorch',
      file: { hyper_parameters: { hidden: 4 } },
    });
  });

  it('gives a recurrent module alone, and with its head', () => {
    const { description, x, y } = EXPECTED['legacy.pt']!;
    const file = readPytorch(read('legacy.pt'));
    const alone = build(engine, describeModule(file, 'model_state_dict.lstm'));
    const { layers } = description;
    const twin = loadPytorch(engine, read('legacy.pt'), {
      description: { layers: [layers[0]!] },
      strict: false,
    });
    expect(outputOf(alone, x)).toEqual(outputOf(twin, x));
    const parts = ['model_state_dict.lstm', 'model_state_dict.fc'] as const;
    const whole = build(engine, describeModule(file, ...parts));
    expect(worstOf(outputOf(whole, x), y.data)).toBeLessThan(TOLERANCE);
    const both = build(engine, describeModule(readPytorch(read('both.pt')), 'lstm', 'fc'));
    const expected = EXPECTED['both.pt']!;
    expect(worstOf(outputOf(both, expected.x), expected.y.data)).toBeLessThan(TOLERANCE);
    expect(refusal(() => describeModule(file, 'rnn')).message).toMatch(/no module "rnn".*\.lstm/);
    expect(refusal(() => describeModule({ ...file }, 'rnn')).code).toBe('ERR_ARGUMENT');
  });

  it('reads tensors of TorchScript', () => {
    const description = {
      layers: [
        { type: 'linear', name: '0', inFeatures: 3, outFeatures: 4, activation: 'tanh' },
        { type: 'linear', name: '2', outFeatures: 2 },
      ],
    } as const;
    expect(loadPytorch(engine, read('script.pt'), { description }).parameterCount).toBe(26);
  });
});

describe('the proposal', () => {
  it('of a whole module is the module, hyperparameters and all', () => {
    for (const file of ['whole.pt', 'whole-legacy.pt']) {
      const { proposal, metadata } = readPytorch(read(file));
      // Of both ways it takes the last step: this module takes what each way makes last.
      const { layers } = EXPECTED[file]!.description;
      expect(proposal!.layers).toEqual([...layers.slice(0, 2), ...layers.slice(3), layers[2]]);
      expect(metadata).toMatchObject({
        source: 'pytorch',
        class: '__main__.Net',
        batchFirst: true,
      });
    }
  });

  it.each(['zip.pt', 'legacy.pt', 'lightning.ckpt', 'views.pt', 'plain-2.pkl', 'both.pt'])(
    'of the state_dict of %s is the chain of its modules',
    (file) => {
      expect(readPytorch(read(file)).proposal).toEqual(EXPECTED[file]!.description);
    },
  );

  it('is printed, never run', () => {
    const error = refusal(() => loadPytorch(engine, read('zip.pt')));
    expect(error.code).toBe('ERR_ARGUMENT');
    const json = /"description": (\{.*\})$/.exec(error.message)![1]!;
    const description = JSON.parse(json) as ModelDescription;
    expect(description).toEqual(EXPECTED['zip.pt']!.description);
    expect(loadPytorch(engine, read('zip.pt'), { description }).parameterCount).toBe(314);
  });

  it('is none where the modules are no chain', () => {
    const twice = new Map(
      ['a', 'b'].flatMap((name) =>
        [...tensorsOf('gru', 3, 4)].map(([own, tensor]) => [`${name}.${own}`, tensor] as const),
      ),
    );
    const { problem, proposal } = readPytorch(writeSafetensors(twice));
    expect([proposal, problem]).toEqual([undefined, expect.stringMatching(/no chain.*expected 4/)]);
    const error = refusal(() => loadPytorch(engine, writeSafetensors(twice)));
    expect(error.message).toMatch(/names of its modules: a \(gru\), b \(gru\)/);
  });

  it('has a relu between two matrices, by gaps in their numbers before or behind a norm', () => {
    const parts = (sizes: Record<string, number[]>): [string, Tensor][] => [
      ...[...tensorsOf('gru', 3, 4)].map(([own, tensor]): [string, Tensor] => [`r.${own}`, tensor]),
      ...Object.entries(sizes).flatMap(([name, shape]): [string, Tensor][] => [
        [`${name}.weight`, zeros(...shape)],
        [`${name}.bias`, zeros(shape[0]!)],
      ]),
    ];
    const kindsOf = (tensors: [string, Tensor][]) =>
      readPytorch(writeSafetensors(new Map(tensors))).proposal!.layers.map((layer) =>
        'activation' in layer ? `${layer.type} ${String(layer.activation)}` : layer.type,
      );
    const start = ['gru', 'pool'];
    const plain = kindsOf(parts({ fc1: [5, 4], fc2: [6, 5], out: [2, 6] }));
    expect(plain).toEqual([...start, 'linear relu', 'linear relu', 'linear']);
    // torch.nn.Sequential(Linear, LayerNorm, ReLU, Linear), and with the ReLU before the norm.
    const behind = kindsOf(parts({ 'net.0': [5, 4], 'net.1': [5], 'net.3': [2, 5] }));
    expect(behind).toEqual([...start, 'linear', 'layerNorm', 'activation relu', 'linear']);
    const before = kindsOf(parts({ 'net.0': [5, 4], 'net.2': [5], 'net.3': [2, 5] }));
    expect(before).toEqual([...start, 'linear relu', 'layerNorm', 'linear']);
  });

  it('is none of an attention, a decoder, or tensors of the module itself', () => {
    const rnn = (name: string, inputs = 4): [string, Tensor][] =>
      [...tensorsOf('gru', inputs, 4)].map(([own, tensor]) => [`${name}.${own}`, tensor]);
    const problemOf = (tensors: [string, Tensor][]) =>
      readPytorch(writeSafetensors(new Map(tensors))).problem;
    const query: [string, Tensor] = ['attention.query.weight', zeros(4, 4)];
    expect(problemOf([...rnn('r'), query])).toMatch(/"attention.query" attend/);
    expect(problemOf([...rnn('encoder'), ...rnn('decoder')])).toMatch(/what "decoder" reads/);
    const own: [string, Tensor] = ['W_xh', zeros(4, 3)];
    expect(problemOf([...rnn('r'), own])).toMatch(/^"W_xh" is no layer/);
  });

  it('takes a matrix without a bias in front for a table, where that fits', () => {
    const tensors = new Map<string, Tensor>([['tok.weight', zeros(9, 3)]]);
    for (const [name, tensor] of tensorsOf('gru', 3, 4)) tensors.set(`rnn.${name}`, tensor);
    tensors.set('out.weight', zeros(9, 4));
    const { proposal } = readPytorch(writeSafetensors(tensors));
    expect(proposal!.layers).toEqual([
      { type: 'embedding', name: 'tok', numEmbeddings: 9, embeddingDim: 3 },
      { type: 'gru', name: 'rnn', inputSize: 3, hiddenSize: 4 },
      { type: 'linear', name: 'out', inFeatures: 4, outFeatures: 9, bias: false },
    ]);
  });
});

const zeros = (...shape: number[]): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((product, n) => product * n, 1)),
});

/** The tensors of a layer by themselves. */
function tensorsOf(type: 'gru' | 'lstm' | 'rnn', inputSize: number, hiddenSize: number) {
  const model = Model.create(engine, { layers: [{ type, inputSize, hiddenSize }] }, { seed: 3 });
  const own = [...model.stateDict()].map(([name, t]) => [name.slice(type.length + 1), t] as const);
  model.dispose();
  return new Map<string, Tensor>(own);
}

describe('options', () => {
  const layers = [{ type: 'rnn', name: 'rnn', inputSize: 3, hiddenSize: 4 }] as const;
  const named = (prefix: string): [string, Tensor][] =>
    [...tensorsOf('rnn', 3, 4)].map(([name, tensor]) => [prefix + name, tensor]);
  const load = (tensors: [string, Tensor][], options: Omit<PytorchOptions, 'description'>) =>
    loadPytorch(engine, writeSafetensors(new Map(tensors)), {
      description: { layers },
      ...options,
    });

  it('rename: tensors, modules, and columns side by side', () => {
    const expected = load(named('rnn.'), {}).stateDict();
    expect(load(named('net.enc.'), { rename: { 'net.enc': 'rnn' } }).stateDict()).toEqual(expected);
    expect(load(named('a.enc.'), { rename: { enc: 'rnn' } }).stateDict()).toEqual(expected);
    expect(load(named(''), { rename: { '': 'rnn' } }).stateDict()).toEqual(expected);
    const own = tensorsOf('rnn', 3, 4);
    const [input, state] = ['weight_ih_l0', 'weight_hh_l0'].map((name) => own.get(name)!.data);
    const data = Float32Array.from({ length: 28 }, (_, k) => {
      const [row, column] = [Math.floor(k / 7), k % 7];
      return column < 4 ? state![row * 4 + column]! : input![row * 3 + column - 4]!;
    });
    const joined: [string, Tensor][] = [
      ['h2h.weight', { shape: [4, 7], data }],
      ['h2h.bias', own.get('bias_ih_l0')!],
      ['other', own.get('bias_hh_l0')!],
    ];
    const rename = {
      'h2h.weight': ['rnn.weight_hh_l0', 'rnn.weight_ih_l0'],
      'h2h.bias': 'rnn.bias_ih_l0',
      other: 'rnn.bias_hh_l0',
    };
    expect(load(joined, { rename }).stateDict()).toEqual(expected);
    joined[0] = ['h2h.weight', zeros(4, 8)];
    expect(refusal(() => load(joined, { rename })).message).toMatch(/\[4, 8\] for \[4, 7\]/);
    const error = refusal(() => load(named(''), { rename: { a: 'lstm' } }));
    expect([error.code, error.message]).toEqual(['ERR_ARGUMENT', expect.stringMatching(/"lstm"/)]);
  });

  it('strict: what the description has not is an error, but for whole numbers', () => {
    const more: [string, Tensor][] = [...named('rnn.'), ['other.weight', zeros(2)]];
    expect(refusal(() => load(more, {})).message).toMatch(
      /unexpected: other.weight; pass \{ strict/,
    );
    expect(load(more, { strict: false }).parameterCount).toBe(36);
  });

  it('prefix: says which of several models', () => {
    const both = [...named('model.rnn.'), ...named('ema.rnn.')];
    both[0]![1].data[0] = 0.125;
    const first = (options: object): number =>
      load(both, options).stateDict().get('rnn.weight_ih_l0')!.data[0]!;
    // Where a training script keeps the model is known.
    expect(first({})).toBe(0.125);
    expect(first({ prefix: 'ema.' })).not.toBe(0.125);
    const unknown = [...named('a.rnn.'), ...named('b.rnn.')];
    expect(refusal(() => load(unknown, {})).message).toMatch(/2 models.*'a\.', 'b\.'/);
  });

  it('maxBytes bounds what tensors take', () => {
    const error = refusal(() => load(named('rnn.'), { maxBytes: 100 }));
    expect([error.code, error.message]).toEqual([
      'ERR_MEMORY',
      expect.stringMatching(/more than 100 bytes/),
    ]);
  });

  it('are checked', () => {
    const description = { layers };
    const bytes = writeSafetensors(new Map(named('')));
    for (const options of [{ prefixes: '' }, { prefix: 1 }, { rename: { a: 1 } }, { strict: 1 }]) {
      const given = { description, ...options } as PytorchOptions;
      expect(refusal(() => loadPytorch(engine, bytes, given)).code).toBe('ERR_ARGUMENT');
    }
  });
});

describe('tensors of whole numbers', () => {
  it('are skipped in safetensors files, by name', () => {
    const header = JSON.stringify({
      'norm.num_batches_tracked': { dtype: 'I64', shape: [], data_offsets: [0, 8] },
      'norm.mask': { dtype: 'BOOL', shape: [4], data_offsets: [8, 12] },
      'linear.weight': { dtype: 'F32', shape: [1, 1], data_offsets: [12, 16] },
    }).padEnd(240);
    const bytes = new Uint8Array(8 + 240 + 16);
    bytes[0] = 240;
    bytes.set(Buffer.from(header), 8);
    const { skipped } = readPytorch(bytes);
    expect(skipped.map(({ name, dtype }) => `${name} ${dtype}`)).toEqual([
      'norm.num_batches_tracked I64',
      'norm.mask BOOL',
    ]);
    const layers = [{ type: 'linear', inFeatures: 1, outFeatures: 1, bias: false }] as const;
    expect(loadPytorch(engine, bytes, { description: { layers } }).parameterCount).toBe(1);
  });
});

describe('files of others', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['HDF5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), /gatefold\/formats\/keras/],
    ['gzip', Buffer.from('\x1f\x8b\x08', 'latin1'), /gzip/],
    ['text', Buffer.from('{"layers": []}'), /opcode 0x7b/],
    ['nothing', new Uint8Array(0), /ends too early/],
  ])('%s', (_, bytes, message) => {
    const error = refusal(() => readPytorch(Uint8Array.from(bytes)));
    expect([error.code, error.message]).toEqual(['ERR_FORMAT', expect.stringMatching(message)]);
  });

  it('a quantised model of our own', () => {
    const model = Model.create(engine, { layers: [{ type: 'lstm', inputSize: 2, hiddenSize: 3 }] });
    const error = refusal(() =>
      loadPytorch(engine, saveModel(model.quantize()), { description: model.description }),
    );
    expect(error.message).toMatch(/int8 tensors/);
  });
});
