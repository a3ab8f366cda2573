import { checkChoice, checkFlag, checkInteger, checkKeys, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { COMMON_OPTIONS, LSTM_OPTIONS, checkOptions } from './recurrent/options.ts';
import type { OptionalKey } from './recurrent/options.ts';
import type { LayerSpec, ModelDescription, TiedLinearSpec } from './specs.ts';

/** Most layers and sub-layers of a model, each direction one: for descriptions out of files. */
const MAX_LAYERS = 4096;
/** Longest name of a layer, which every name of its parameters repeats. */
const MAX_NAME = 256;
const MAX_WIDTH = 2 ** 24;

type Complete<T> = T extends unknown
  ? Required<Omit<T, OptionalKey>> & Pick<T, Extract<keyof T, OptionalKey>>
  : never;
/** A description with every default filled in, but for options that are off. */
export type CompleteLayer = Complete<LayerSpec>;

const RECURRENT = [
  'type',
  'name',
  'inputSize',
  'hiddenSize',
  'numLayers',
  'bias',
  'direction',
  'bidirectional',
  'merge',
  ...COMMON_OPTIONS,
];
const KEYS: Readonly<Record<LayerSpec['type'], readonly string[]>> = {
  embedding: ['type', 'name', 'numEmbeddings', 'embeddingDim'],
  rnn: [...RECURRENT, 'nonlinearity'],
  indrnn: [...RECURRENT, 'nonlinearity'],
  lstm: [...RECURRENT, 'peephole', 'inputForget', ...LSTM_OPTIONS],
  gru: [...RECURRENT, 'resetAfter', 'layerNorm'],
  linear: ['type', 'name', 'inFeatures', 'outFeatures', 'bias', 'tied'],
  pool: ['type', 'name', 'mode', 'inputSize'],
};

/**
 * Checks a description and fills in its defaults: sizes from the layer before, names from the
 * types.
 */
export function complete(description: ModelDescription): readonly CompleteLayer[] {
  checkKeys('description', description, ['layers', 'weights']);
  checkChoice('description.weights', description.weights ?? 'float32', ['float32', 'int8']);
  const { layers } = description;
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      '"description.layers" expected a list of at least one layer',
    );
  }
  checkInteger('description.layers.length', layers.length, 1, MAX_LAYERS);
  const names = new Names();
  let count = 0;
  let size: number | undefined;
  let first: CompleteLayer | undefined;
  let pooled = false;
  return layers.map((layer: LayerSpec, index) => {
    const at = `layers[${index}]`;
    checkKeys(
      at,
      layer,
      KEYS[checkChoice(`${at}.type`, layer?.type, Object.keys(KEYS) as LayerSpec['type'][])],
    );
    if (pooled && layer.type !== 'linear') {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${at}" is a ${layer.type} layer behind a pool; only linear layers may follow: move the pool behind it`,
      );
    }
    pooled ||= isPool(layer);
    const given = isTied(layer) ? withTable(layer, at, first, size) : layer;
    const filled = completeLayer(given, at, index, names.of(layer, at), size);
    count += countOf(filled);
    if (count > MAX_LAYERS) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"description" has more than ${MAX_LAYERS} layers and sub-layers, both directions counted: describe fewer`,
      );
    }
    size = outputSizeOf(filled);
    first ??= filled;
    return Object.freeze(filled);
  });
}

function isTied(layer: LayerSpec): layer is TiedLinearSpec {
  return 'tied' in layer && layer.tied !== undefined;
}

/** A tied layer with the outputs that its table gives it. */
function withTable(
  layer: TiedLinearSpec,
  at: string,
  first: CompleteLayer | undefined,
  inputs: number | undefined,
): TiedLinearSpec {
  if (first?.type !== 'embedding' || first.name !== layer.tied) {
    const known = first?.type === 'embedding' ? `'${first.name}'` : 'but the model has none';
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.tied" expected the name of the embedding layer, ${known}, got ${show(layer.tied)}`,
    );
  }
  const { name, embeddingDim, numEmbeddings: outFeatures } = first;
  if (inputs !== embeddingDim || (layer.outFeatures ?? outFeatures) !== outFeatures) {
    throw new GatefoldError(
      'ERR_SHAPE',
      `"${at}" has ${inputs} inputs and ${layer.outFeatures ?? outFeatures} outputs, but "${name}" to which it is tied is ` +
        `[${outFeatures}, ${embeddingDim}]: make both equal, e.g. by a linear layer of ${embeddingDim} outputs before it`,
    );
  }
  return { ...layer, outFeatures };
}

export function inputSizeOf(layer: CompleteLayer): number {
  if (layer.type === 'embedding') return 1;
  return layer.type === 'linear' ? layer.inFeatures : layer.inputSize;
}

export function outputSizeOf(layer: CompleteLayer): number {
  if (layer.type === 'embedding') return layer.embeddingDim;
  if (layer.type === 'pool') return layer.inputSize;
  if (layer.type === 'linear') return layer.outFeatures;
  const width = (layer.type === 'lstm' && layer.projSize) || layer.hiddenSize;
  return layer.bidirectional && layer.merge === 'concat' ? 2 * width : width;
}

/** Whether a layer makes one row of all steps. */
export function isPool({ type }: LayerSpec): boolean {
  return type === 'pool';
}

/** Layers and sub-layers that a layer stands for, each direction one. */
function countOf(layer: CompleteLayer): number {
  if (!('numLayers' in layer)) return 1;
  return layer.bidirectional ? 2 * layer.numLayers : layer.numLayers;
}

/** The names of the layers so far. */
class Names {
  readonly #taken = new Set<string>();
  /** The number that the last unnamed layer of each type got: no lower one is free. */
  readonly #numbers = new Map<string, number>();

  /** The name of a layer, or an error where another layer has it. */
  of(layer: LayerSpec, at: string): string {
    const name: unknown = layer.name ?? this.#free(layer.type);
    if (typeof name === 'string' && isName(name) && !this.#taken.has(name)) {
      this.#taken.add(name);
      return name;
    }
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.name" expected a name of at most ${MAX_NAME} characters that no other layer has, got ${show(name)}`,
    );
  }

  #free(type: string): string {
    for (let number = this.#numbers.get(type) ?? 1; ; number++) {
      const name = number === 1 ? type : type + number;
      if (this.#taken.has(name)) continue;
      this.#numbers.set(type, number);
      return name;
    }
  }
}

/** Whether files and objects can have it as a key. */
function isName(name: string): boolean {
  const isKey = name !== '' && name !== '__proto__' && !/\p{Surrogate}/u.test(name);
  return isKey && name.length <= MAX_NAME;
}

function completeLayer(
  layer: LayerSpec,
  at: string,
  index: number,
  name: string,
  before: number | undefined,
): CompleteLayer {
  const width = (key: string, value: unknown): number =>
    checkInteger(`${at}.${key}`, value, 1, MAX_WIDTH);
  const flag = (key: string, value: unknown, otherwise: boolean): boolean =>
    checkFlag(`${at}.${key}`, value, otherwise);
  const input = (key: string, value: number | undefined): number => {
    if (value === undefined && before === undefined) {
      throw new GatefoldError('ERR_ARGUMENT', `"${at}.${key}" is needed in the first layer`);
    }
    const size = width(key, value ?? before);
    if (before !== undefined && size !== before) {
      throw new GatefoldError(
        'ERR_SHAPE',
        `"${at}.${key}" expected ${before}, the output of the layer before, got ${size}`,
      );
    }
    return size;
  };
  if (layer.type === 'embedding') {
    if (index > 0)
      throw new GatefoldError('ERR_ARGUMENT', `"${at}" an embedding can only be the first layer`);
    const numEmbeddings = width('numEmbeddings', layer.numEmbeddings);
    return {
      type: 'embedding',
      name,
      numEmbeddings,
      embeddingDim: width('embeddingDim', layer.embeddingDim),
    };
  }
  if (layer.type === 'linear') {
    const inFeatures = input('inFeatures', layer.inFeatures);
    const outFeatures = width('outFeatures', layer.outFeatures);
    const bias = flag('bias', layer.bias, true);
    const linear = { type: 'linear', name, inFeatures, outFeatures, bias } as const;
    return isTied(layer) ? { ...linear, tied: layer.tied } : linear;
  }
  if (layer.type === 'pool') {
    if (index === 0)
      throw new GatefoldError('ERR_ARGUMENT', `"${at}" a pool needs a layer before it`);
    const mode = checkChoice(`${at}.mode`, layer.mode, ['last', 'mean', 'max']);
    return { type: 'pool', name, mode, inputSize: input('inputSize', layer.inputSize) };
  }
  const common = {
    name,
    inputSize: input('inputSize', layer.inputSize),
    hiddenSize: width('hiddenSize', layer.hiddenSize),
    numLayers: checkInteger(`${at}.numLayers`, layer.numLayers ?? 1, 1, MAX_LAYERS),
    bias: flag('bias', layer.bias, true),
    direction: checkChoice(`${at}.direction`, layer.direction ?? 'forward', [
      'forward',
      'backward',
    ]),
    bidirectional: flag('bidirectional', layer.bidirectional, false),
    merge: mergeOf(`${at}.merge`, layer.merge),
    ...checkOptions(layer, at),
  };
  if (common.bidirectional && common.direction === 'backward') {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.direction" says nothing where "bidirectional" is true`,
    );
  }
  if (!common.bidirectional && common.merge !== 'concat') {
    throw new GatefoldError('ERR_ARGUMENT', `"${at}.merge" needs "bidirectional": true`);
  }
  if (layer.type === 'gru') {
    return { type: 'gru', ...common, resetAfter: flag('resetAfter', layer.resetAfter, true) };
  }
  if (layer.type === 'rnn' || layer.type === 'indrnn') {
    const nonlinearity = checkChoice(`${at}.nonlinearity`, layer.nonlinearity ?? 'tanh', [
      'tanh',
      'relu',
    ]);
    return { type: layer.type, ...common, nonlinearity };
  }
  const inputForget = flag('inputForget', layer.inputForget, false);
  if (layer.peephole === undefined) return { type: 'lstm', ...common, inputForget };
  const peephole = checkChoice(`${at}.peephole`, layer.peephole, ['diagonal', 'cell']);
  return { type: 'lstm', ...common, inputForget, peephole };
}

/** How both directions become one; Keras' name for the mean is taken as ours. */
function mergeOf(name: string, value: unknown): 'concat' | 'sum' | 'mul' | 'mean' {
  const choices = ['concat', 'sum', 'mul', 'mean'] as const;
  return value === 'ave' ? 'mean' : checkChoice(name, value ?? 'concat', choices);
}
