/** Models of Keras: `.h5` and `.keras` files, told apart by what is in them. */
import type { Engine } from '../../engine/engine.ts';
import { checkObject, readOptions, show } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';
import type { Model } from '../../model/model.ts';
import { asBytes } from '../shared/bytes.ts';
import { Hdf5File, isHdf5 } from '../shared/hdf5.ts';
import type { Hdf5Object } from '../shared/hdf5.ts';
import { build } from '../shared/imported.ts';
import type { ImportedModel } from '../shared/imported.ts';
import type { ModelDescription } from '../../ops/index.ts';
import { isZip, readZip } from '../shared/zip.ts';
import { damaged, listOf, own, parseJson, quoted, textOf } from './config.ts';
import { described, importKeras } from './import.ts';
import type { OwnLayers } from './network.ts';
import { proposed } from './proposal.ts';
import { metadataOf } from './training.ts';
import { legacyLayers, legacyNamed, legacyStore, savedNamed, savedStore } from './weights.ts';
import type { NamedLayers } from './weights.ts';

export interface KerasOptions {
  /** The wiring of a file that has weights alone. */
  readonly description?: ModelDescription;
  /** The same as Keras says it: what `model.to_json()` gave, as its text or parsed. */
  readonly architecture?: string | object;
  /**
   * What layers are that only the file's author knows, by their class or name: a layer without
   * parameters in the place, or the class of Keras that it is one of; of functions, an activation.
   */
  readonly layers?: OwnLayers;
}

const MAX_ENTRIES = 4096;
const MIB = 2 ** 20;

/** Reads a `.h5` or `.keras` file: what the model is, and its parameters. */
export function readKeras(
  source: Uint8Array | ArrayBuffer,
  options: KerasOptions = {},
): ImportedModel {
  const bytes = asBytes(source);
  const given = readOptions('options', options, ['description', 'architecture', 'layers']);
  if (given.layers !== undefined) checkObject('layers', given.layers);
  if (given.description && given.architecture !== undefined) {
    const message = '"options" expected either a description or an architecture, got both';
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  if (isHdf5(bytes)) return ofHdf5(new Hdf5File(bytes).root, bytes.length, given);
  if (isZip(bytes)) return ofZip(bytes, given);
  return damaged('it is neither a .h5 nor a .keras file');
}

/**
 * The model of a `.h5` or `.keras` file.
 *
 * @example
 *   const model = loadKeras(engine, bytes);
 *   const { output } = model.forward(x, { steps: 48, batchFirst: true });
 */
export function loadKeras(
  engine: Engine,
  source: Uint8Array | ArrayBuffer,
  options: KerasOptions = {},
): Model {
  return build(engine, readKeras(source, options));
}

function ofHdf5(root: Hdf5Object, size: number, options: KerasOptions): ImportedModel {
  const text = root.texts('model_config')?.[0];
  const group = root.get('model_weights') ?? root;
  const layers = legacyLayers(group);
  const version = (root.texts('keras_version') ?? group.texts('keras_version'))?.[0];
  const named = (): NamedLayers => (layers ? legacyNamed(layers) : savedNamed(root));
  if (options.description) {
    return described(options.description, named(), size, metadataOf('keras', version, undefined));
  }
  if (options.architecture !== undefined) {
    const given = architectureOf(options.architecture);
    const store = layers ? legacyStore(byOrder(layers, given.config)) : savedStore(root);
    const own_ = given.version ?? version;
    const metadata = metadataOf('keras', own_, undefined);
    return importKeras(given.config, own_, store, size, metadata, options.layers);
  }
  if (text === undefined) {
    const shapes = [...(layers ?? [])].map(([name, read]) => {
      return [name, read().map(({ shape }) => shape)] as const;
    });
    const own_ = shapes.filter(([, all]) => all.length > 0);
    return withoutWiring([...named().layers.keys()], proposed(own_, version));
  }
  if (!layers) damaged('it has a configuration, but no weights');
  const training = root.texts('training_config')?.[0];
  const metadata = metadataOf(
    'keras',
    version,
    training && parseJson(training, 'its training_config'),
  );
  const config = parseJson(text, 'its model_config');
  return importKeras(config, version, legacyStore(layers), size, metadata, options.layers);
}

/**
 * Layers of weights by the names of an architecture. Keras numbers names anew in every session, so
 * that `lstm_4` of one file may be `lstm_1` of the other: those of one kind keep their order.
 */
function byOrder<T>(layers: ReadonlyMap<string, T>, config: unknown): ReadonlyMap<string, T> {
  const inner = own(config, 'config');
  const entries = Array.isArray(inner) ? (inner as unknown[]) : listOf(inner, 'layers');
  const names = entries.flatMap((entry) => textOf(own(entry, 'config'), 'name') ?? []);
  const kindOf = (name: string): string => name.replace(/_\d+$/, '');
  const found = new Map(layers);
  for (const kind of new Set(names.map(kindOf))) {
    const here = names.filter((name) => kindOf(name) === kind);
    const there = [...layers.keys()].filter((name) => kindOf(name) === kind);
    const isNamed = here.every((name) => layers.has(name));
    if (isNamed || here.length !== there.length) continue;
    here.forEach((name, k) => found.set(name, layers.get(there[k]!)!));
  }
  return found;
}

/** What `model.to_json()` gave; scripts often write that text as JSON once more. */
function architectureOf(given: unknown): { config: unknown; version: string | undefined } {
  let config = given;
  for (let k = 0; k < 2 && typeof config === 'string'; k++) {
    config = parseJson(config, 'the architecture');
  }
  if (textOf(config, 'class_name') === undefined) {
    const message = `"options.architecture" expected what model.to_json() gave, got ${show(given)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  // Keras 3 says no version here, and which module every class is of.
  const newer = textOf(config, 'module') === undefined ? undefined : '3';
  return { config, version: textOf(config, 'keras_version') ?? newer };
}

function withoutWiring(names: readonly string[], proposal: ModelDescription | undefined): never {
  const list = names.slice(0, 12).map(quoted).join(', ');
  const guess = proposal
    ? `. Their order suggests the following; check activations, and whether the last step or all are read: ${JSON.stringify(proposal)}`
    : '';
  const message = `the file has weights alone, of ${list || 'no layers'}; pass as { architecture } what model.to_json() gave, or { description } to say how they are wired${guess}`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

function ofZip(bytes: Uint8Array, options: KerasOptions): ImportedModel {
  const maxInflated = 4 * (bytes.length + MIB);
  const entries = readZip(bytes, { maxEntries: MAX_ENTRIES, maxInflated });
  const contents = (name: string): Uint8Array => {
    const entry = entries.get(name);
    return entry ? entry.bytes() : damaged(`the archive has no ${quoted(name)}`);
  };
  const json = (name: string): unknown => {
    const text = decodeUtf8(contents(name)) ?? damaged(`${quoted(name)} is not UTF-8`);
    return parseJson(text, quoted(name));
  };
  if (!entries.has('config.json')) damaged('the archive has no config.json');
  const config = json('config.json');
  const version = entries.has('metadata.json')
    ? textOf(json('metadata.json'), 'keras_version')
    : undefined;
  const { root } = new Hdf5File(contents('model.weights.h5'));
  if (options.description) {
    const metadata = metadataOf('keras', version, undefined);
    return described(options.description, savedNamed(root), bytes.length, metadata);
  }
  const training = own(config, 'compile_config');
  const metadata = metadataOf('keras', version, training);
  return importKeras(config, version, savedStore(root), bytes.length, metadata, options.layers);
}
