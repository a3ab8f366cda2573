/** Models as layers models of TensorFlow.js: a `model.json` and one file of weights. */
import { GatefoldError } from '../../base/errors.ts';
import type { StateDict, Tensor } from '../../base/tensor.ts';
import { encodeUtf8 } from '../../base/utf8.ts';
import type { Model } from '../../model/model.ts';
import type { RowActivation } from '../../ops/activations.ts';
import { quoted } from '../keras/config.ts';
import * as layouts from '../shared/layouts.ts';

type Options = Readonly<Record<string, unknown>>;

/** A completed layer of a description, with all of its options. */
interface Layer extends Options {
  readonly type: string;
  readonly name: string;
  readonly inputs?: readonly string[];
}

/** A layer of TensorFlow.js, and the arrays that it keeps by their names after its own. */
interface Written {
  readonly className: string;
  readonly config: Options;
  readonly arrays?: readonly (readonly [name: string, tensor: Tensor])[];
}

/** Where a layer stands. */
interface Place {
  /** A parameter by what follows the name of the layer and a dot. */
  readonly parameter: (role: string) => Tensor;
  readonly state: StateDict;
  /** Whether it reads one row a sequence. */
  readonly isRow: boolean;
  /** What alone reads a recurrent layer, where that asks for another form of it. */
  readonly reader: 'last' | 'reverse' | undefined;
}

/** Why a layer cannot be written, with others in a list. */
class Refusal extends Error {}

const refuse = (problem: string): never => {
  throw new Refusal(problem);
};

/** Names of activations; those with numbers only where they have the usual ones. */
const ACTIVATIONS: ReadonlyMap<string, string> = new Map([
  ['relu', 'relu'],
  ['tanh', 'tanh'],
  ['sigmoid', 'sigmoid'],
  ['hardSigmoid', 'hard_sigmoid'],
  ['elu', 'elu'],
  ['selu', 'selu'],
  ['softplus', 'softplus'],
  ['softsign', 'softsign'],
  ['silu', 'swish'],
  ['gelu', 'gelu'],
  ['identity', 'linear'],
  ['softmax', 'softmax'],
  ['logSoftmax', 'log_softmax'],
]);

/** An activation that has a name in TensorFlow.js. */
function nameOf(given: RowActivation): string | undefined {
  const { type, alpha, beta } = (typeof given === 'string' ? { type: given } : given) as {
    readonly type: string;
    readonly alpha?: number;
    readonly beta?: number;
  };
  if (type === 'clip' && alpha === 0 && beta === 6) return 'relu6';
  const isUsual =
    type === 'hardSigmoid' ? (alpha ?? 0.2) === 0.2 && (beta ?? 0.5) === 0.5 : (alpha ?? 1) === 1;
  return isUsual ? ACTIVATIONS.get(type) : undefined;
}

/** An activation as a layer of its own. */
function activationLayer(given: RowActivation): Written {
  const name = nameOf(given);
  if (name !== undefined) return { className: 'Activation', config: { activation: name } };
  const { type, alpha, beta } = (typeof given === 'string' ? { type: given } : given) as {
    readonly type: string;
    readonly alpha?: number;
    readonly beta?: number;
  };
  if (type === 'leakyRelu') return { className: 'LeakyReLU', config: { alpha: alpha ?? 0.01 } };
  if (type === 'thresholdedRelu') {
    return { className: 'ThresholdedReLU', config: { theta: alpha ?? 1 } };
  }
  if (type === 'clip' && alpha === 0) return { className: 'ReLU', config: { max_value: beta } };
  return refuse(`TensorFlow.js has no ${type} of these numbers`);
}

/** A layer and, where its activation has no name, a second one for that. */
function activated(layer: Layer, written: (activation: string) => Written): Written[] {
  const given = layer['activation'] as RowActivation | undefined;
  const name = given === undefined ? 'linear' : nameOf(given);
  return name === undefined ? [written('linear'), activationLayer(given!)] : [written(name)];
}

const isOn = (layer: Layer, key: string): boolean => layer[key] !== false;
const ZEROS = { class_name: 'Zeros', config: {} };
const CELLS = { lstm: 'LSTM', gru: 'GRU', rnn: 'SimpleRNN' } as const;
/** Options of recurrent layers that no layer of TensorFlow.js has. */
const OWN = ['clip', 'cellClip', 'projSize', 'projClip', 'layerNorm', 'zoneout', 'peephole'];

/** The activations of a cell. */
function cellActivations(layer: Layer, type: keyof typeof CELLS): Options {
  const given = (layer['activations'] as readonly RowActivation[] | undefined) ?? [];
  const usual = {
    lstm: ['sigmoid', 'tanh', 'tanh'],
    gru: ['sigmoid', 'tanh'],
    rnn: [(layer['nonlinearity'] as string | undefined) ?? 'tanh'],
  };
  const all = usual[type].map((otherwise, k) => given[k] ?? (otherwise as RowActivation));
  if (given.length > all.length) refuse('both directions have the same activations there');
  const names = all.map(
    (activation) => nameOf(activation) ?? refuse('TensorFlow.js has not its activations'),
  );
  const [gate, state = gate, output = state] = names;
  if (output !== state) refuse('candidate and output have the same activation there');
  return type === 'rnn' ? { activation: gate } : { activation: state, recurrent_activation: gate };
}

function recurrent(layer: Layer, place: Place): Written[] {
  const type = layer.type as keyof typeof CELLS;
  const given = OWN.filter((key) => layer[key] !== undefined && layer[key] !== false);
  if (given.length) refuse(`TensorFlow.js has no ${given.join(', ')}`);
  if (layer['inputForget'] === true) refuse('TensorFlow.js has no inputForget');
  const initial = layer['initialState'];
  if (initial !== undefined && initial !== 'zero') refuse('an initialState is not written');
  if (type === 'gru' && isOn(layer, 'resetAfter')) {
    refuse('TensorFlow.js has no GRU with resetAfter; train one with resetAfter: false');
  }
  const isBoth = layer['bidirectional'] === true;
  const isBackward = layer['direction'] === 'backward';
  if (isBackward && !place.reader) {
    refuse(
      'TensorFlow.js gives the steps of a backward layer in the order in which it read them: let a reverse, or a pool of mode last, alone read it',
    );
  }
  const count = (layer['numLayers'] as number | undefined) ?? 1;
  if (isBackward && count > 1) refuse('of several sub-layers none can read backwards');
  const between = layer['dropout'] as number | undefined;
  const toKeras = { lstm: layouts.keras.toLstm, gru: toGru, rnn: layouts.keras.toRnn }[type];
  return Array.from({ length: count }, (_, subLayer) => {
    const isLast = subLayer === count - 1;
    const config = {
      units: layer['hiddenSize'],
      ...cellActivations(layer, type),
      use_bias: isOn(layer, 'bias'),
      kernel_initializer: ZEROS,
      recurrent_initializer: ZEROS,
      dropout: layer['inputDropout'] ?? 0,
      recurrent_dropout: layer['recurrentDropout'] ?? 0,
      return_sequences: !(isLast && place.reader === 'last'),
      go_backwards: isBackward,
      ...(type === 'lstm' && { unit_forget_bias: false }),
      ...(type === 'gru' && { reset_after: false }),
    };
    const arrays = (reverse: boolean, prefix: string): [string, Tensor][] => {
      const own = layouts.fromStateDict(place.state, layer.name, { subLayer, reverse });
      const { kernel, recurrent: square, bias } = toKeras(own);
      const both: [string, Tensor][] = [
        [`${prefix}kernel`, kernel],
        [`${prefix}recurrent_kernel`, square],
      ];
      return bias ? [...both, [`${prefix}bias`, bias]] : both;
    };
    const className = CELLS[type];
    if (!isBoth) return { className, config, arrays: arrays(false, '') };
    const inner = { class_name: className, config: { name: 'cell', ...config } };
    const merge = { concat: 'concat', sum: 'sum', mul: 'mul', mean: 'ave' };
    const mode = merge[(layer['merge'] as keyof typeof merge | undefined) ?? 'concat'];
    return {
      className: 'Bidirectional',
      config: { layer: inner, merge_mode: mode },
      arrays: [...arrays(false, 'forward_cell/'), ...arrays(true, 'backward_cell/')],
    };
  }).flatMap((written, k) => {
    const isFirst = k === 0 || !between;
    return isFirst ? [written] : [{ className: 'Dropout', config: { rate: between } }, written];
  });
}

const toGru = (parameters: layouts.CellParameters): layouts.KerasCell =>
  layouts.keras.toGru(parameters, { resetAfter: false });

function linear(layer: Layer, { parameter }: Place): Written[] {
  if (layer['tied'] !== undefined) refuse('TensorFlow.js has no tied weights');
  const bias = isOn(layer, 'bias');
  return activated(layer, (activation) => ({
    className: 'Dense',
    config: { units: layer['outFeatures'], activation, use_bias: bias, kernel_initializer: ZEROS },
    arrays: [
      ['kernel', layouts.keras.dense(parameter('weight'))],
      ...(bias ? [['bias', parameter('bias')] as const] : []),
    ],
  }));
}

/** `valid` or `same`. */
function padding(layer: Layer): unknown {
  const given = layer['padding'];
  if (given === 'valid' || given === 'same') return given;
  return refuse(`TensorFlow.js has no padding ${JSON.stringify(given)} here`);
}

function convolution(layer: Layer, { parameter }: Place): Written[] {
  if (((layer['groups'] as number | undefined) ?? 1) > 1) refuse('TensorFlow.js has no groups');
  const bias = isOn(layer, 'bias');
  const named = padding(layer);
  return activated(layer, (activation) => ({
    className: 'Conv1D',
    config: {
      filters: layer['outChannels'],
      kernel_size: [layer['kernelSize']],
      strides: [layer['stride']],
      dilation_rate: [layer['dilation']],
      padding: named,
      activation,
      use_bias: bias,
      kernel_initializer: ZEROS,
    },
    arrays: [
      ['kernel', layouts.keras.conv1d(parameter('weight'))],
      ...(bias ? [['bias', parameter('bias')] as const] : []),
    ],
  }));
}

function windowPool(className: string): Writer {
  return (layer) => {
    const named = padding(layer);
    if (named === 'same' && layer['countPadding'] === true) {
      refuse('TensorFlow.js does not count padding: describe the layer with countPadding: false');
    }
    const config = {
      pool_size: [layer['poolSize']],
      strides: [layer['stride']],
      padding: named,
    };
    return [{ className, config }];
  };
}

function norm(className: string, roles: readonly (readonly [string, string, string?])[]): Writer {
  return (layer, { parameter }) => {
    const kept = roles.filter(([, , option]) => option === undefined || isOn(layer, option));
    const config = {
      axis: -1,
      epsilon: layer['eps'],
      center: isOn(layer, 'bias'),
      scale: isOn(layer, 'scale'),
      ...(layer.type === 'batchNorm' && { momentum: 1 - (layer['momentum'] as number) }),
      ...(layer['frozen'] === true && { trainable: false }),
    };
    return [{ className, config, arrays: kept.map(([role, name]) => [name, parameter(role)]) }];
  };
}

function pool(layer: Layer): Written[] {
  const classes: Readonly<Record<string, string>> = {
    mean: 'GlobalAveragePooling1D',
    max: 'GlobalMaxPooling1D',
  };
  const className = classes[layer['mode'] as string];
  if (className === undefined) {
    return refuse('a pool of mode last is written where it alone reads a recurrent layer');
  }
  return [{ className, config: {} }];
}

function prelu(layer: Layer, { parameter, isRow }: Place): Written[] {
  const { data } = parameter('weight');
  const shared = layer['shared'] === true;
  const axes = [...(isRow ? [] : [1]), ...(shared ? [isRow ? 1 : 2] : [])];
  const shape = [...(isRow ? [] : [1]), data.length];
  const config = axes.length ? { shared_axes: axes } : {};
  return [{ className: 'PReLU', config, arrays: [['alpha', { shape, data }]] }];
}

function scale(layer: Layer): Written[] {
  const { factor = 1, offset = 0 } = layer;
  if (typeof factor !== 'number' || typeof offset !== 'number') {
    refuse('TensorFlow.js has one factor and one offset for all features');
  }
  return [{ className: 'Rescaling', config: { scale: factor, offset } }];
}

type Writer = (layer: Layer, place: Place) => readonly Written[];
const plain = (className: string, config: (layer: Layer) => Options = () => ({})): Writer => {
  return (layer) => [{ className, config: config(layer) }];
};

const WRITERS: ReadonlyMap<string, Writer> = new Map<string, Writer>([
  ['lstm', recurrent],
  ['gru', recurrent],
  ['rnn', recurrent],
  ['linear', linear],
  [
    'embedding',
    (layer, { parameter }) => [
      {
        className: 'Embedding',
        config: {
          input_dim: layer['numEmbeddings'],
          output_dim: layer['embeddingDim'],
          mask_zero: layer['maskZero'] === true,
        },
        arrays: [['embeddings', parameter('weight')]],
      },
    ],
  ],
  ['conv1d', convolution],
  ['maxPool1d', windowPool('MaxPooling1D')],
  ['averagePool1d', windowPool('AveragePooling1D')],
  [
    'batchNorm',
    norm('BatchNormalization', [
      ['weight', 'gamma', 'scale'],
      ['bias', 'beta', 'bias'],
      ['running_mean', 'moving_mean'],
      ['running_var', 'moving_variance'],
    ]),
  ],
  [
    'layerNorm',
    norm('LayerNormalization', [
      ['weight', 'gamma', 'scale'],
      ['bias', 'beta', 'bias'],
    ]),
  ],
  ['pool', pool],
  ['activation', (layer) => [activationLayer(layer['activation'] as RowActivation)]],
  ['prelu', prelu],
  ['scale', scale],
  ['dropout', plain('Dropout', (layer) => ({ rate: layer['rate'] }))],
  ['masking', plain('Masking', (layer) => ({ mask_value: layer['value'] }))],
  ['concat', plain('Concatenate', () => ({ axis: -1 }))],
  ['add', plain('Add')],
  ['multiply', plain('Multiply')],
  ['average', plain('Average')],
  ['flatten', plain('Flatten')],
  ['repeat', plain('RepeatVector', (layer) => ({ n: layer['steps'] }))],
  [
    'reshape',
    plain('Reshape', (layer) => {
      const all =
        (layer['inputSize'] as number) * ((layer['inputSteps'] as number | undefined) ?? 1);
      const steps = layer['steps'] as number;
      return { target_shape: [steps, all / steps] };
    }),
  ],
]);

/** Kinds of layers that make one row of a sequence, or a sequence of one row. */
const TO_ROW: readonly string[] = ['pool', 'flatten'];
const TO_STEPS: readonly string[] = ['repeat', 'reshape'];

/** The files of a layers model, by their names. */
export interface TfjsFiles {
  /** The topology, as text. */
  readonly 'model.json': Uint8Array;
  /** The parameters, float32. */
  readonly 'weights.bin': Uint8Array;
}

interface Input {
  readonly name: string;
  readonly each?: string;
  readonly steps?: number;
}

/** A model as the files that `tf.loadLayersModel` of TensorFlow.js reads. */
export function writeTfjs(model: Model): TfjsFiles {
  const { description } = model;
  const layers = description.layers as unknown as readonly Layer[];
  if (description.weights === 'int8') {
    throw new GatefoldError(
      'ERR_UNSUPPORTED',
      'weights of 8 bits are not written: write the model before it is quantised',
    );
  }
  const state = model.stateDict();
  const readers = readersOf(layers, model.inputs[0]!.name);
  const outputs = model.outputs.map(({ name }) => name);
  const problems: string[] = [];
  const written: object[] = [];
  const weights: { name: string; tensor: Tensor }[] = [];
  /** The layer that stands for one of ours, or an input, and whether it gives rows. */
  const made = new Map<string, { name: string; isRow: boolean }>();
  const inputs = (description.inputs ?? [model.inputs[0]!.name]) as readonly (string | Input)[];
  inputs.forEach((given, k) => {
    const {
      name,
      each,
      steps = description.steps,
    }: Input = typeof given === 'string' ? { name: given } : given;
    const { size, takesTokens } = model.inputs[k]!;
    const isRow = each === 'sequence';
    const features = takesTokens ? [] : [size];
    const shape = [null, ...(isRow ? [] : [steps ?? null]), ...features];
    const config = { batch_input_shape: shape, dtype: 'float32', sparse: false, name };
    written.push({ name, class_name: 'InputLayer', config, inbound_nodes: [] });
    made.set(name, { name, isRow });
  });
  let before = model.inputs[0]!.name;
  for (const layer of layers) {
    const names = layer.inputs ?? [before];
    before = layer.name;
    const reads = names.map((name) => made.get(name));
    const isRow = reads[0]?.isRow === true;
    // What has become a part of the layer before it.
    const source = readers.alias.get(layer.name);
    if (source !== undefined) {
      made.set(layer.name, { name: made.get(source)!.name, isRow: layer.type === 'pool' });
      continue;
    }
    const after = (isRow && !TO_STEPS.includes(layer.type)) || TO_ROW.includes(layer.type);
    made.set(layer.name, { name: layer.name, isRow: after });
    try {
      if (reads.includes(undefined)) refuse('it reads a part of another layer');
      const writer =
        WRITERS.get(layer.type) ?? refuse(`TensorFlow.js has no layer like ${layer.type}`);
      const reader = outputs.includes(layer.name) ? undefined : readers.only.get(layer.name);
      const parameter = (role: string): Tensor => state.get(`${layer.name}.${role}`)!;
      const chain = writer(layer, { parameter, state, isRow, reader });
      let from = reads.map((read) => read!.name);
      chain.forEach(({ className, config, arrays = [] }, k) => {
        const isLast = k === chain.length - 1;
        const name = isLast ? layer.name : `${layer.name}/${k}`;
        const nodes = [from.map((each) => [each, 0, 0, {}])];
        written.push({
          name,
          class_name: className,
          config: { name, trainable: true, ...config },
          inbound_nodes: nodes,
        });
        for (const [role, tensor] of arrays) weights.push({ name: `${name}/${role}`, tensor });
        from = [name];
      });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problems.push(`${quoted(layer.name)}: ${error.message}`);
    }
  }
  if (problems.length) {
    const message = `the model has what a layers model of TensorFlow.js cannot say: ${problems.join('; ')}`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const ends = (names: readonly string[]): unknown[] =>
    names.map((name) => [made.get(name)!.name, 0, 0]);
  const config = {
    name: 'gatefold',
    layers: written,
    input_layers: ends(model.inputs.map(({ name }) => name)),
    output_layers: ends(outputs),
  };
  return filesOf({ class_name: 'Model', config }, weights);
}

/** Which layers become a part of the recurrent layer that they alone read. */
function readersOf(
  layers: readonly Layer[],
  input: string,
): { alias: Map<string, string>; only: Map<string, 'last' | 'reverse'> } {
  const readers = new Map<string, Layer[]>();
  let before = input;
  for (const layer of layers) {
    for (const name of layer.inputs ?? [before]) {
      readers.set(name, [...(readers.get(name) ?? []), layer]);
    }
    before = layer.name;
  }
  const alias = new Map<string, string>();
  const only = new Map<string, 'last' | 'reverse'>();
  for (const layer of layers) {
    const [reader, ...others] = readers.get(layer.name) ?? [];
    if (!(layer.type in CELLS) || !reader || others.length) continue;
    const isLast = reader.type === 'pool' && reader['mode'] === 'last';
    const isTurned = reader.type === 'reverse' && layer['direction'] === 'backward';
    if (!isLast && !isTurned) continue;
    alias.set(reader.name, layer.name);
    only.set(layer.name, isLast ? 'last' : 'reverse');
  }
  return { alias, only };
}

function filesOf(model: object, weights: readonly { name: string; tensor: Tensor }[]): TfjsFiles {
  const specs = weights.map(({ name, tensor: { shape } }) => ({ name, shape, dtype: 'float32' }));
  const json = {
    format: 'layers-model',
    generatedBy: 'gatefold',
    convertedBy: null,
    modelTopology: { ...model, keras_version: 'tfjs-layers 4.22.0', backend: 'tensor_flow.js' },
    weightsManifest: [{ paths: ['weights.bin'], weights: specs }],
  };
  const length = weights.reduce((sum, { tensor: { data } }) => sum + data.length, 0);
  const all = new Float32Array(length);
  let at = 0;
  for (const { tensor } of weights) {
    all.set(tensor.data, at);
    at += tensor.data.length;
  }
  return {
    'model.json': encodeUtf8(JSON.stringify(json)),
    'weights.bin': new Uint8Array(all.buffer),
  };
}
