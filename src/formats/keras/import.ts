/** From configuration and arrays, whatever kind of file has them, to a model. */
import { GatefoldError } from '../../base/errors.ts';
import type { StateDict } from '../../base/tensor.ts';
import { lower } from '../../graph/graph.ts';
import { parametersOf } from '../../graph/layout.ts';
import type { Metadata } from '../../model/model.ts';
import { complete } from '../../ops/description.ts';
import type { ModelDescription } from '../../ops/index.ts';
import type { ImportedModel } from '../shared/imported.ts';
import type { Version } from './activations.ts';
import { damaged, isRecord, quoted, textOf } from './config.ts';
import { Network } from './network.ts';
import type { OwnLayers } from './network.ts';
import { LOADERS } from './parameters.ts';
import type { SizedLayer } from './parameters.ts';
import { Taker } from './weights.ts';
import type { NamedLayers, WeightStore } from './weights.ts';

/** Elements that a file may stand for, by its bytes: of float16, of layers that are used twice. */
const MOST_ELEMENTS = 2;
const SPARE = 2 ** 18;

/** Counts elements that are taken of a file, and refuses more than it can honestly give. */
function counter(bytes: number): (length: number) => void {
  let left = MOST_ELEMENTS * bytes + SPARE;
  return (length) => {
    left -= length;
    if (left >= 0) return;
    const message = 'the model uses the same arrays so often that they take many times the file';
    throw new GatefoldError('ERR_MEMORY', message);
  };
}

/** What a version of Keras has of its own: `2.3.1`, `2.2.4-tf`, `tfjs-layers 4.22.0`. */
export function versionOf(text = ''): Version {
  const major = Number(/^\d+/.exec(text)?.[0] ?? 2);
  const isTf = text.endsWith('-tf') || /^2\.(?:[4-9]|\d\d)/.test(text);
  return { major, isOld: major < 3 && !isTf };
}

/**
 * A model by its configuration.
 *
 * @param bytes of the file, which bound what is taken of it.
 */
export function importKeras(
  config: unknown,
  version: string | undefined,
  store: WeightStore,
  bytes: number,
  metadata: Metadata,
  layers: OwnLayers = {},
): ImportedModel {
  if (!isRecord(config)) damaged('its configuration is no object');
  const network = new Network(versionOf(version), store, layers, counter(bytes));
  const outputs = network.read(config);
  const description = network.build.describe(outputs);
  const name = textOf(config['config'], 'name');
  const more = { ...metadata, ...(name !== undefined && { name }) };
  return checked({ description, tensors: network.build.tensors, metadata: more });
}

/** Refuses what is no model before any memory is taken for it. */
export function checked(imported: ImportedModel): ImportedModel {
  const { description, tensors } = imported;
  let wanted: readonly { readonly name: string; readonly shape: readonly number[] }[];
  try {
    wanted = parametersOf(lower(complete(description)), description).parameters;
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    throw new GatefoldError('ERR_UNSUPPORTED', `the model cannot be built: ${error.message}`);
  }
  for (const { name, shape } of wanted) {
    const found = tensors.get(name)?.shape;
    if (found?.length === shape.length && shape.every((size, k) => size === found[k])) continue;
    const got = found ? `[${found.join(', ')}]` : 'nothing';
    damaged(`${quoted(name)} should be [${shape.join(', ')}], and the file gives ${got}`);
  }
  return imported;
}

/** Classes of Keras by kinds of layers, as files of Keras 3 name them. */
const CLASSES: ReadonlyMap<string, string> = new Map([
  ['lstm', 'lstm'],
  ['gru', 'gru'],
  ['rnn', 'simple_rnn'],
  ['linear', 'dense'],
  ['embedding', 'embedding'],
  ['conv1d', 'conv1d'],
  ['convTranspose1d', 'conv1d_transpose'],
  ['batchNorm', 'batch_normalization'],
  ['layerNorm', 'layer_normalization'],
  ['rmsNorm', 'rms_normalization'],
]);

/**
 * A model by a description of the caller and the arrays of a file: those of the layer of the same
 * name or, where there is none, of the next one in the file, or of its class.
 */
export function described(
  description: ModelDescription,
  { layers, isOrdered }: NamedLayers,
  bytes: number,
  metadata: Metadata,
): ImportedModel {
  const all = complete(description).layers.filter(({ type }) => LOADERS.has(type));
  const names = new Set(all.map(({ name }) => name));
  const others = [...layers.keys()].filter((name) => !names.has(name));
  const counts = new Map<string, number>();
  const nameOf = (layer: SizedLayer): string | undefined => {
    if (layers.has(layer.name)) return layer.name;
    if (isOrdered) return others.shift();
    const way = layer['bidirectional'] === true ? 'bidirectional' : CLASSES.get(layer.type)!;
    const count = counts.get(way) ?? 0;
    counts.set(way, count + 1);
    return count ? `${way}_${count}` : way;
  };
  const tensors: StateDict = new Map();
  const taken = counter(bytes);
  for (const { ...layer } of all as unknown as SizedLayer[]) {
    const isTied = layer['tied'] !== undefined;
    if (isTied) continue;
    const takers: Taker[] = [];
    for (let k = 0; k < ((layer['numLayers'] as number | undefined) ?? 1); k++) {
      const name = nameOf(layer);
      const weights = name === undefined ? undefined : layers.get(name)?.();
      if (!weights) damaged(`it has no arrays for the layer ${quoted(layer.name)}`);
      const taker = new Taker(layer.name, weights, taken);
      const ways = ['forward_layer', 'backward_layer'];
      if (layer['bidirectional'] === true) takers.push(...ways.map((way) => taker.within(way)));
      else takers.push(taker);
    }
    for (const [role, tensor] of LOADERS.get(layer.type)!(layer, takers)) {
      tensors.set(`${layer.name}.${role}`, tensor);
    }
  }
  return checked({ description, tensors, metadata });
}
