import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpy, writeNpz } from '../../src/formats/npz.ts';
import { loadTf1, readTf1 } from '../../src/formats/tf1.ts';
import type { Tf1Source } from '../../src/formats/tf1.ts';
import { Engine, GatefoldError } from '../../src/hosts/default.ts';
import type { LayerSpec, ModelDescription, Tensor } from '../../src/hosts/default.ts';
import { createRandom } from '../support/random.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ simd: 'deterministic' });
});
afterAll(() => engine.dispose());

const random = createRandom(5);
const tensor = (...shape: number[]): Tensor => {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let k = 0; k < data.length; k++) data[k] = random.around(0.8);
  return { shape, data };
};

type Arrays = Record<string, Tensor>;

/** A manifest and a file for each variable, as they are dumped. */
function dump(arrays: Arrays, folder = ''): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const manifest = Object.entries(arrays).map(([name, { shape, data }]) => {
    const filename = name.replace(/\W/g, '_');
    files.set(folder + filename, new Uint8Array(data.buffer));
    return [name, { filename, shape }];
  });
  const text = JSON.stringify(Object.fromEntries(manifest));
  return files.set(`${folder}manifest.json`, new TextEncoder().encode(text));
}

const [I, H, O, STEPS] = [3, 4, 2, 7];
const CELLS = [
  'rnn/multi_rnn_cell/cell_0/basic_lstm_cell',
  'rnn/multi_rnn_cell/cell_1/basic_lstm_cell',
];
const HEAD = 'fully_connected';

const STACK: Arrays = {
  [`${CELLS[0]}/kernel`]: tensor(I + H, 4 * H),
  [`${CELLS[0]}/bias`]: tensor(4 * H),
  [`${CELLS[1]}/kernel`]: tensor(2 * H, 4 * H),
  [`${CELLS[1]}/bias`]: tensor(4 * H),
  [`${HEAD}/weights`]: tensor(H, O),
  [`${HEAD}/biases`]: tensor(O),
};
const TRAINED: Arrays = {
  ...STACK,
  [`${CELLS[0]}/kernel/Adam`]: tensor(I + H, 4 * H),
  [`${CELLS[0]}/kernel/Adam_1`]: tensor(I + H, 4 * H),
  global_step: tensor(),
  beta1_power: tensor(),
};

const x = tensor(STEPS, I).data;
const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));

/** Columns of a kernel times x and h side by side, in float64. */
const times = (kernel: Tensor, bias: Tensor, values: readonly number[]): number[] =>
  Array.from({ length: kernel.shape[1]! }, (_, column) =>
    values.reduce(
      (sum, v, row) => sum + v * kernel.data[row * kernel.shape[1]! + column]!,
      bias.data[column]!,
    ),
  );

/** BasicLSTMCells and a dense layer, as TensorFlow 1 runs them. */
function evaluate(arrays: Arrays, forgetBias: number): number[] {
  const states = CELLS.map(() => ({ h: [0, 0, 0, 0], c: [0, 0, 0, 0] }));
  return Array.from({ length: STEPS }, (_, t) => {
    let value: number[] = [...x.subarray(t * I, (t + 1) * I)];
    for (const [k, cell] of CELLS.entries()) {
      const state = states[k]!;
      const gates = times(arrays[`${cell}/kernel`]!, arrays[`${cell}/bias`]!, [
        ...value,
        ...state.h,
      ]);
      const [i, j, f, o] = [0, 1, 2, 3].map((g) => gates.slice(g * H, (g + 1) * H));
      state.c = state.c.map(
        (c, u) => c * sigmoid(f![u]! + forgetBias) + sigmoid(i![u]!) * Math.tanh(j![u]!),
      );
      state.h = state.c.map((c, u) => Math.tanh(c) * sigmoid(o![u]!));
      value = state.h;
    }
    return times(arrays[`${HEAD}/weights`]!, arrays[`${HEAD}/biases`]!, value);
  }).flat();
}

/** What an error proposes. */
function proposal(source: Tf1Source): ModelDescription {
  try {
    readTf1(source);
  } catch (error) {
    const { code, message } = error as GatefoldError;
    expect(code).toBe('ERR_UNSUPPORTED');
    return JSON.parse(message.slice(message.indexOf('{"layers"'))) as ModelDescription;
  }
  throw new Error('nothing was refused');
}

describe('checkpoints', () => {
  it.each<[string, Tf1Source]>([
    ['a manifest and raw files', dump(TRAINED)],
    ['the same in a folder', dump(TRAINED, 'checkpoint/')],
    ['an archive of NumPy', writeNpz(new Map(Object.entries(TRAINED)))],
    ['the same among files', new Map([['model.npz', writeNpz(new Map(Object.entries(STACK)))]])],
    [
      'arrays of NumPy',
      new Map(Object.entries(STACK).map(([name, array]) => [`${name}:0.npy`, writeNpy(array)])),
    ],
  ])('as %s: proposed, confirmed, run', (_, source) => {
    const description = proposal(source);
    expect(description.layers.map(({ name }) => name)).toEqual([...CELLS, HEAD]);
    for (const forgetBias of [1, 0]) {
      const model = loadTf1(engine, source, { description, forgetBias });
      const { output } = model.forward(x, { steps: STEPS });
      const worst = evaluate(STACK, forgetBias).map((value, k) => Math.abs(value - output[k]!));
      expect(Math.max(...worst)).toBeLessThan(1e-6);
      expect(model.metadata).toEqual({ format: 'TensorFlow 1' });
      model.dispose();
    }
  });

  it('of other cells, old names and two directions', () => {
    const arrays: Arrays = {
      'embeddings/embedding': tensor(9, I),
      'both/fw/gru_cell/gates/kernel': tensor(I + H, 2 * H),
      'both/fw/gru_cell/gates/bias': tensor(2 * H),
      'both/fw/gru_cell/candidate/kernel': tensor(I + H, H),
      'both/fw/gru_cell/candidate/bias': tensor(H),
      'both/bw/gru_cell/gates/kernel': tensor(I + H, 2 * H),
      'both/bw/gru_cell/gates/bias': tensor(2 * H),
      'both/bw/gru_cell/candidate/kernel': tensor(I + H, H),
      'both/bw/gru_cell/candidate/bias': tensor(H),
      'RNN/BasicLSTMCell/Linear/Matrix': tensor(3 * H, 4 * H),
      'RNN/BasicLSTMCell/Linear/Bias': tensor(4 * H),
      'top/basic_rnn_cell/kernel': tensor(2 * H, H),
      'top/basic_rnn_cell/bias': tensor(H),
      'head/w': tensor(H, O),
    };
    const description = proposal(dump(arrays));
    expect(description.layers).toMatchObject([
      { type: 'embedding', numEmbeddings: 9 },
      { type: 'gru', name: 'both', bidirectional: true, resetAfter: false, hiddenSize: H },
      { type: 'lstm', name: 'RNN/BasicLSTMCell', inputSize: 2 * H },
      { type: 'rnn', inputSize: H, hiddenSize: H },
      { type: 'linear', bias: false },
    ]);
    const layers = description.layers.map((layer) =>
      // Of a layer with two biases the second is zero.
      layer.name === 'RNN/BasicLSTMCell' ? { ...layer, bias: true } : layer,
    ) as LayerSpec[];
    const model = loadTf1(engine, dump(arrays), { description: { layers } });
    const output = model.forward(Int32Array.of(1, 2, 3), { steps: 3 }).output;
    expect(output.every(Number.isFinite)).toBe(true);
    const state = model.stateDict();
    expect(state.get('RNN/BasicLSTMCell.bias_hh_l0')!.data).toEqual(new Float32Array(4 * H));
    // The candidate's first unit and input, backwards.
    const candidate = arrays['both/bw/gru_cell/candidate/kernel']!;
    expect(state.get('both.weight_ih_l0_reverse')!.data[2 * H * I]).toBe(candidate.data[0]);
  });
});

describe('refusals', () => {
  const description: ModelDescription = {
    layers: [
      { type: 'lstm', name: CELLS[0]!, inputSize: I, hiddenSize: H, bias: 'single' },
      { type: 'lstm', name: CELLS[1]!, hiddenSize: H, bias: 'single' },
      { type: 'linear', name: HEAD, outFeatures: O },
    ],
  };
  const change = (edit: (files: Map<string, Uint8Array>) => void): Tf1Source => {
    const files = dump(STACK);
    edit(files);
    return files;
  };
  const name = `${CELLS[0]}/kernel`.replace(/\W/g, '_');
  const gru: ModelDescription = { layers: [{ type: 'gru', inputSize: I, hiddenSize: H }] };

  it.each<[string, Tf1Source, ModelDescription, RegExp]>([
    ['no files', new Map(), description, /ERR_FORMAT: not a checkpoint.*no variables/],
    ['no map', 5 as never, description, /ERR_ARGUMENT: "files" expected a Map/],
    ['a map of texts', new Map([['manifest.json', '{}']]) as never, description, /ERR_ARGUMENT/],
    [
      'a missing file',
      change((files) => files.delete(name)),
      description,
      /ERR_FORMAT.*is missing/,
    ],
    [
      'a short file',
      change((files) => files.set(name, new Uint8Array(12))),
      description,
      /expected \[7, 16\] of float32, got a file of 12 bytes/,
    ],
    [
      'a damaged manifest',
      change((files) => files.set('manifest.json', new TextEncoder().encode('{"a":{}}'))),
      description,
      /"a" of its manifest has no "filename"/,
    ],
    [
      'another layer',
      dump(STACK),
      { layers: [{ type: 'lstm', name: 'lstm', inputSize: I, hiddenSize: H }] },
      /no cells for the layer "lstm"; it has "rnn\/multi/,
    ],
    [
      'a layer with two cells in it',
      dump(STACK),
      { layers: [{ type: 'lstm', name: 'rnn', inputSize: I, hiddenSize: H }] },
      /2 cells for the layer "rnn"/,
    ],
    [
      'another size',
      dump(STACK),
      { layers: [{ type: 'lstm', name: CELLS[0]!, inputSize: I, hiddenSize: 5, bias: 'single' }] },
      /ERR_FORMAT.*weight_ih_l0" expected the shape \[20, 3\], got \[16, 3\]/,
    ],
    [
      'sub-layers',
      dump(STACK),
      { layers: [{ type: 'lstm', name: 'rnn', inputSize: I, hiddenSize: H, numLayers: 2 }] },
      /ERR_UNSUPPORTED.*a layer of its own/,
    ],
    ['a GRU with reset after', dump(STACK), gru, /ERR_ARGUMENT.*resetAfter: false/],
    [
      'packed weights',
      dump({ 'cudnn_lstm/opaque_kernel': tensor(9) }),
      description,
      /ERR_UNSUPPORTED.*as cuDNN packs them/,
    ],
  ])('of %s', (_, source, given, message) => {
    let said = 'nothing';
    try {
      readTf1(source, { description: given });
    } catch (error) {
      if (!(error instanceof GatefoldError)) throw error;
      said = `${error.code}: ${error.message}`;
    }
    expect(said).toMatch(message);
  });
});
