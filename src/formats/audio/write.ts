/** Writes RTNeural's JSON, with AIDA-X' header where a model has gains or a skip. */
import { show } from '../../base/check.ts';
import { GatefoldError, shorten } from '../../base/errors.ts';
import type { StateDict, Tensor } from '../../base/tensor.ts';
import { encodeUtf8 } from '../../base/utf8.ts';
import { storeOf } from '../../model/model.ts';
import type { Model } from '../../model/model.ts';
import { fromStateDict, keras } from '../shared/layouts.ts';
import type { CellParameters, KerasCell } from '../shared/layouts.ts';
import { ACTIVATIONS } from './rtneural.ts';

type Lists = number | readonly Lists[];
type Options = Readonly<Record<string, unknown>>;

/** A layer of a model, and the file as far as it is written. */
interface Writing {
  readonly layer: Options;
  readonly state: StateDict;
  /** Says what the format cannot have; the rest is looked at all the same. */
  refuse(what: string): void;
  /** Adds a layer of the file. */
  put(type: string, width: number, weights: readonly Lists[], rest?: object): void;
}

const filled = (length: number, value: number): number[] => Array.from({ length }, () => value);

/** Numbers as short as float32 takes. */
const short = (value: number): number => Number(value.toPrecision(9));

function listsOf({ shape, data }: Tensor): Lists {
  let lists: Lists[] = Array.from(data, short);
  for (const size of shape.slice(1).reverse()) {
    const rows = lists;
    lists = Array.from({ length: rows.length / size }, (_, k) =>
      rows.slice(k * size, (k + 1) * size),
    );
  }
  return lists;
}

const NAMES: ReadonlyMap<unknown, string> = new Map(
  [...ACTIVATIONS].map(([name, own]) => [own, name]),
);

function activationOf({ layer, refuse }: Writing): { activation: string } {
  const own = layer.activation === 'identity' ? undefined : layer.activation;
  const name = NAMES.get(own);
  if (name === undefined) refuse(`the activation ${JSON.stringify(own)}`);
  return { activation: name ?? '' };
}

const tensor = ({ state, layer }: Writing, role: string): Tensor =>
  state.get(`${layer.name}.${role}`)!;

/**
 * Whether a layer has no option that changes what it gives, but those that the format has; `fixed`
 * ones have the usual value.
 */
function allows({ layer, refuse }: Writing, free: readonly string[], fixed: Options = {}): boolean {
  const known = ['type', 'name', 'inputs', ...free];
  const other = Object.entries(layer).filter(([key, value]) => {
    const isUsual = Object.hasOwn(fixed, key) && fixed[key] === value;
    return !isUsual && value !== undefined && !known.includes(key);
  });
  for (const [key, value] of other) refuse(`"${key}": ${JSON.stringify(value)}`);
  return other.length === 0;
}

/** Options of a recurrent layer that leave inference as it is. */
const FREE = [
  'inputSize',
  'hiddenSize',
  'numLayers',
  'bias',
  'dropout',
  'inputDropout',
  'recurrentDropout',
];
const USUAL = { direction: 'forward', bidirectional: false, merge: 'concat' };

/** A recurrent layer of the file for each sub-layer. */
function recurrent(writing: Writing, type: string, to: (cell: CellParameters) => KerasCell): void {
  const { layer, state, put } = writing;
  const { numLayers, hiddenSize } = layer as { numLayers: number; hiddenSize: number };
  for (let subLayer = 0; subLayer < numLayers; subLayer++) {
    const own = fromStateDict(state, layer.name as string, { subLayer });
    const wide = own.weight_hh.shape[0]!;
    const bias_ih = own.bias_ih ?? { shape: [wide], data: new Float32Array(wide) };
    const cell = to({ ...own, bias_ih });
    put(type, hiddenSize, [cell.kernel, cell.recurrent, cell.bias!].map(listsOf), {
      activation: 'tanh',
    });
  }
}

/** What each type of layer becomes. */
const WRITERS: Readonly<Record<string, (writing: Writing) => void>> = {
  lstm(writing) {
    if (allows(writing, FREE, { ...USUAL, inputForget: false })) {
      recurrent(writing, 'lstm', keras.toLstm);
    }
  },
  gru(writing) {
    if (allows(writing, FREE, { ...USUAL, resetAfter: true })) {
      recurrent(writing, 'gru', keras.toGru);
    }
  },
  linear(writing) {
    if (!allows(writing, ['inFeatures', 'outFeatures', 'bias', 'activation'])) return;
    const { outFeatures, bias } = writing.layer as { outFeatures: number; bias: boolean };
    const kernel = listsOf(keras.dense(tensor(writing, 'weight')));
    const own = bias ? listsOf(tensor(writing, 'bias')) : filled(outFeatures, 0);
    writing.put('dense', outFeatures, [kernel, own], activationOf(writing));
  },
  conv1d(writing) {
    const free = ['inChannels', 'outChannels', 'kernelSize', 'dilation', 'groups'];
    allows(writing, [...free, 'padding', 'bias', 'activation'], { stride: 1 });
    const { layer, put } = writing;
    const { outChannels, kernelSize, dilation, groups } = layer as Record<string, number>;
    const { padding } = layer;
    const reach = (kernelSize! - 1) * dilation!;
    const isCausal = padding === 'causal' || reach === 0 || String(padding) === String([reach, 0]);
    if (!isCausal) writing.refuse(`"padding": ${JSON.stringify(padding)} (only 'causal')`);
    const kernel = listsOf(keras.conv1d(tensor(writing, 'weight')));
    const bias = layer.bias ? listsOf(tensor(writing, 'bias')) : filled(outChannels!, 0);
    put('conv1d', outChannels!, [kernel, bias], {
      ...activationOf(writing),
      kernel_size: [kernelSize],
      dilation: [dilation],
      groups,
    });
  },
  prelu(writing) {
    allows(writing, ['inputSize', 'shared']);
    const slopes = listsOf(tensor(writing, 'weight'));
    writing.put('prelu', writing.layer.inputSize as number, [[slopes]], { activation: '' });
  },
  batchNorm(writing) {
    allows(writing, ['inputSize', 'eps', 'scale', 'bias', 'momentum', 'unbiased', 'frozen']);
    const { layer, put } = writing;
    const width = layer.inputSize as number;
    const gamma = layer.scale ? listsOf(tensor(writing, 'weight')) : filled(width, 1);
    const beta = layer.bias ? listsOf(tensor(writing, 'bias')) : filled(width, 0);
    const [mean, variance] = ['running_mean', 'running_var'].map((role) => tensor(writing, role));
    const weights = [gamma, beta, listsOf(mean!), listsOf(variance!)];
    put('batchnorm', width, weights, { activation: '', epsilon: layer.eps });
  },
  activation(writing) {
    allows(writing, ['inputSize', 'activation']);
    writing.put('activation', writing.layer.inputSize as number, [], activationOf(writing));
  },
  dropout(writing) {
    allows(writing, Object.keys(writing.layer));
  },
};

/** Layers that AIDA-X has as keys of its header. */
const HEADERS: Readonly<Record<string, 'gain' | 'skip' | 'part'>> = {
  scale: 'gain',
  add: 'skip',
  slice: 'part',
};

/** Writes a chain of layers, and follows what it reads. */
class Writer {
  readonly header: Record<string, unknown> = {};
  readonly layers: object[] = [];
  readonly #problems: string[] = [];
  /** The inputs, the inputs with their gain, and the part of them that skips the layers. */
  #source = 'input';
  #part: string | undefined;
  #current: string;

  constructor(source: string) {
    this.#source = source;
    this.#current = source;
  }

  /** Puts one layer after the others. */
  add(layer: Options, state: StateDict): void {
    const { type, name } = layer as { type: string; name: string };
    const inputs = (layer.inputs as readonly string[] | undefined) ?? [this.#current];
    const at = `"${shorten(name)}" (${type})`;
    const refuse = (what: string): void => void this.#problems.push(`${at} has ${what}`);
    const header = Object.hasOwn(HEADERS, type) ? HEADERS[type] : undefined;
    if (header === 'part') {
      const isFirst = layer.from === 0 && layer.to === 1 && inputs[0] === this.#source;
      if (!isFirst) refuse('features that are no first input');
      this.#part = name;
      return;
    }
    const isChain = inputs.length === 1 && inputs[0] === this.#current;
    if (header === 'skip') this.#skip(inputs, refuse);
    else if (!isChain) refuse(`${show([...inputs])} to read: RTNeural's layers are a chain`);
    else if (header === 'gain') this.#gain(layer, refuse);
    else if (this.header.in_skip !== undefined) refuse('a place after the skip');
    else if (!Object.hasOwn(WRITERS, type))
      this.#problems.push(`${at}: RTNeural has no such layer`);
    else {
      const put: Writing['put'] = (kind, width, weights, rest) =>
        void this.layers.push({ type: kind, ...rest, shape: [null, null, width], weights });
      WRITERS[type]!({ layer, state, refuse, put });
    }
    if (header === 'gain' && this.#isFirst) this.#source = name;
    this.#current = name;
  }

  get #isFirst(): boolean {
    return this.layers.length === 0 && this.header.in_skip === undefined;
  }

  #gain({ factor, offset, inputSize }: Options, refuse: (what: string) => void): void {
    const key = this.#isFirst ? 'in_gain' : 'out_gain';
    const all = typeof factor === 'number' ? [factor] : ((factor as number[] | undefined) ?? [1]);
    const [gain, ...others] = all as [number, ...number[]];
    const isOne = inputSize === 1 || (this.#isFirst && others.every((other) => other === 1));
    if (!(gain > 0) || offset !== undefined || !isOne || this.header[key] !== undefined) {
      return refuse('another scale than one positive gain of the audio');
    }
    this.header[key] = 20 * Math.log10(gain);
  }

  #skip(inputs: readonly string[], refuse: (what: string) => void): void {
    const dry = this.#part ?? this.#source;
    const isSkip = inputs.length === 2 && inputs.includes(dry) && inputs.includes(this.#current);
    if (!isSkip || this.#current === dry || this.header.out_gain !== undefined) {
      return refuse('another sum than outputs and inputs');
    }
    this.header.in_skip = 1;
  }

  check(): void {
    const problems = this.#problems;
    if (problems.length === 0) return;
    const more = problems.length > 8 ? ` and ${problems.length - 8} more` : '';
    const message = `RTNeural's JSON cannot carry this model: ${problems.slice(0, 8).join('; ')}${more}`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
}

/**
 * A model as RTNeural's JSON, in UTF-8: a chain of `lstm`, `gru`, `linear`, causal `conv1d`,
 * `prelu`, `batchNorm` and `activation`, for AIDA-X with a gain before, a skip and a gain after.
 * What the format has no place for is refused by name, all of it at once.
 */
export function writeRtneural(model: Model): Uint8Array {
  storeOf(model);
  const { description, metadata, inputSize } = model;
  const given = description.inputs ?? ['input'];
  const inputs = given.map((input) => (typeof input === 'string' ? input : input.name));
  if (inputs.length !== 1 || (description.outputs?.length ?? 1) !== 1) {
    const message = `RTNeural's JSON cannot carry this model: it has ${inputs.length} inputs and ${description.outputs?.length ?? 1} outputs`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const writer = new Writer(inputs[0]!);
  const state = model.stateDict();
  for (const layer of description.layers) writer.add(layer as unknown as Options, state);
  writer.check();
  const { sampleRate } = metadata as { sampleRate?: unknown };
  const file = {
    in_shape: [null, null, inputSize],
    ...writer.header,
    ...(typeof sampleRate === 'number' && { samplerate: sampleRate }),
    layers: writer.layers,
  };
  return encodeUtf8(JSON.stringify(file));
}
