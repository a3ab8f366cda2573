/** Layers models of TensorFlow.js: a `model.json`, and the files of weights that it names. */
import type { Engine } from '../../engine/engine.ts';
import { isBuffer, isOf } from '../../base/arrays.ts';
import { checkObject, readOptions } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';
import type { Model } from '../../model/model.ts';
import { isRecord, listOf, own, parseJson, quoted, recordOf, textOf } from '../keras/config.ts';
import type { Json } from '../keras/config.ts';
import { importKeras } from '../keras/import.ts';
import type { OwnLayers } from '../keras/network.ts';
import { metadataOf } from '../keras/training.ts';
import { NamedStore } from '../keras/weights.ts';
import type { Weight } from '../keras/weights.ts';
import { CONVERT } from '../safetensors/dtypes.ts';
import { asBytes } from '../shared/bytes.ts';
import { build } from '../shared/imported.ts';
import type { ImportedModel } from '../shared/imported.ts';

/** The files of weights, by the names that `model.json` has for them. */
export type Shards =
  | ReadonlyMap<string, Uint8Array | ArrayBuffer>
  | Readonly<Record<string, Uint8Array | ArrayBuffer>>;

/** How `readTfjs` reads. */
export interface TfjsOptions {
  /** What layers are that only the file's author knows: as in `KerasOptions`. */
  readonly layers?: OwnLayers;
}

const MAX_WEIGHTS = 65_536;
const MAX_RANK = 8;
const MAX_PARTS = 16;

function damaged(problem: string): never {
  const fix = 'save the model again';
  throw new GatefoldError('ERR_FORMAT', `not a TensorFlow.js model to trust: ${problem}; ${fix}`);
}

function refuse(problem: string): never {
  throw new GatefoldError('ERR_UNSUPPORTED', problem);
}

/** Reads a layers model. `model` is the file or what it says, `shards` the files beside it. */
export function readTfjs(
  model: Uint8Array | ArrayBuffer | object,
  shards: Shards,
  options: TfjsOptions = {},
): ImportedModel {
  const { layers } = readOptions('options', options, ['layers']);
  if (layers !== undefined) checkObject('layers', layers);
  const { json, length } = jsonOf(model);
  const format = textOf(json, 'format');
  const topology = recordOf(json, 'modelTopology');
  if (format === 'graph-model' || own(topology, 'node') !== undefined) {
    refuse(
      'it is a graph model, of TensorFlow operations; gatefold reads layers models: convert it with --output_format tfjs_layers_model, or give the Keras file',
    );
  }
  const wrapped = own(topology, 'model_config');
  const config = isRecord(wrapped) ? wrapped : topology;
  if (own(config, 'class_name') === undefined) damaged('it has no topology of layers');
  const files = filesOf(shards);
  const { weights, bytes } = weightsOf(listOf(json, 'weightsManifest'), files);
  const version = textOf(topology, 'keras_version');
  const metadata = {
    ...metadataOf('tfjs', version, own(topology, 'training_config')),
    ...userMetadata(json),
  };
  return importKeras(config, version, storeOf(weights), bytes + length, metadata, layers);
}

/**
 * The layers model of these files.
 *
 * @example
 *   const model = loadTfjs(engine, json, { 'group1-shard1of1.bin': bytes });
 */
export function loadTfjs(
  engine: Engine,
  model: Uint8Array | ArrayBuffer | object,
  shards: Shards,
  options: TfjsOptions = {},
): Model {
  return build(engine, readTfjs(model, shards, options));
}

/** What the file says, and how many bytes it takes. */
function jsonOf(model: unknown): { json: Json; length: number } {
  const text =
    isOf('Uint8Array', model) || isBuffer(model) ? decodeUtf8(asBytes(model)) : said(model);
  if (text === undefined) damaged('its model.json is not UTF-8');
  const json = parseJson(text, 'its model.json');
  return isRecord(json) ? { json, length: text.length } : damaged('its model.json is no object');
}

function said(model: unknown): string {
  checkObject('model', model);
  try {
    return JSON.stringify(model);
  } catch {
    return damaged('its model.json holds more than plain data');
  }
}

/** What `model.save` of TensorFlow.js was told to keep, where that is small. */
function userMetadata(json: Json): Json {
  const kept = own(json, 'userDefinedMetadata');
  const text = isRecord(kept) ? JSON.stringify(kept) : '';
  return text && text.length < 10_000 ? { user: text } : {};
}

/** Finds files by their paths, or where a caller has left out folders by their names. */
function filesOf(shards: Shards): (path: string) => Uint8Array {
  checkObject('shards', shards);
  const map = shards as ReadonlyMap<string, Uint8Array | ArrayBuffer>;
  const get = (name: string): unknown =>
    typeof map.get === 'function' ? map.get(name) : own(shards, name);
  return (path) => {
    const found = get(path) ?? get(path.split('/').at(-1)!);
    if (found !== undefined) return asBytes(found);
    const message = `the file of weights ${quoted(path)}, which model.json names, is missing from "shards"`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  };
}

/** Bytes of an element, and how its bytes become numbers; whole numbers may be steps of a scale. */
const DTYPES: ReadonlyMap<string, { size: number; read: (bytes: Uint8Array) => Float32Array }> =
  new Map([
    ['float32', { size: 4, read: CONVERT.get('F32')! }],
    ['float16', { size: 2, read: CONVERT.get('F16')! }],
    [
      'int32',
      { size: 4, read: (bytes) => Float32Array.from(new Int32Array(bytes.slice().buffer)) },
    ],
    ['uint8', { size: 1, read: (bytes) => Float32Array.from(bytes) }],
    ['bool', { size: 1, read: (bytes) => Float32Array.from(bytes) }],
    [
      'uint16',
      { size: 2, read: (bytes) => Float32Array.from(new Uint16Array(bytes.slice().buffer)) },
    ],
  ]);

/** All arrays of a manifest, and the bytes of their files. */
function weightsOf(
  manifest: readonly unknown[],
  fileOf: (path: string) => Uint8Array,
): { weights: Weight[]; bytes: number } {
  const weights: Weight[] = [];
  let bytes = 0;
  for (const group of manifest) {
    const paths = listOf(group, 'paths');
    const files = paths.map((path) =>
      typeof path === 'string' ? fileOf(path) : damaged('a file of weights has no path'),
    );
    const total = files.reduce((sum, { length }) => sum + length, 0);
    bytes += total;
    let at = 0;
    for (const entry of listOf(group, 'weights')) {
      if (weights.length === MAX_WEIGHTS) damaged(`it has more than ${MAX_WEIGHTS} arrays`);
      const { path, shape, length, read } = weightOf(entry);
      const start = at;
      at += length;
      if (at > total) damaged(`the files of ${quoted(path)} are shorter than model.json says`);
      weights.push({ path, shape, read: () => read(pieceOf(files, start, length)) });
    }
  }
  return { weights, bytes };
}

/** An entry of the manifest. */
function weightOf(entry: unknown): {
  path: string;
  shape: number[];
  length: number;
  read: (bytes: Uint8Array) => Float32Array;
} {
  const path = textOf(entry, 'name') ?? damaged('an array has no name');
  if (path.split('/', MAX_PARTS + 1).length > MAX_PARTS) damaged(`${quoted(path)} is too deep`);
  const shape = listOf(entry, 'shape').map((size) =>
    typeof size === 'number' && Number.isSafeInteger(size) && size >= 0
      ? size
      : damaged(`${quoted(path)} has an impossible shape`),
  );
  if (shape.length > MAX_RANK) damaged(`${quoted(path)} has more than ${MAX_RANK} dimensions`);
  const quantization = recordOf(entry, 'quantization');
  const name = textOf(quantization, 'dtype') ?? textOf(entry, 'dtype') ?? 'float32';
  const dtype = DTYPES.get(name) ?? refuse(`${quoted(path)} is ${quoted(name)}, which is not read`);
  const length = shape.reduce((product, size) => product * size, dtype.size);
  if (!Number.isSafeInteger(length)) damaged(`${quoted(path)} is impossibly large`);
  const [scale, min] = ['scale', 'min'].map((key) => own(quantization, key));
  const isScaled = typeof scale === 'number' && typeof min === 'number';
  if (name.startsWith('uint') && !isScaled) damaged(`${quoted(path)} has no scale`);
  const read = (bytes: Uint8Array): Float32Array => {
    const numbers = dtype.read(bytes);
    return isScaled ? numbers.map((value) => value * scale + min) : numbers;
  };
  return { path, shape, length, read };
}

/** Bytes of files that follow one another. */
function pieceOf(files: readonly Uint8Array[], start: number, length: number): Uint8Array {
  let first = 0;
  let from = start;
  while (first < files.length - 1 && from >= files[first]!.length) from -= files[first++]!.length;
  const whole = files[first]?.subarray(from, from + length) ?? new Uint8Array();
  if (whole.length === length) return whole;
  const piece = new Uint8Array(length);
  let at = 0;
  for (let k = first; at < length; k++) {
    const part = files[k]!.subarray(k === first ? from : 0).subarray(0, length - at);
    piece.set(part, at);
    at += part.length;
  }
  return piece;
}

/** Arrays by the layers that their names begin with or, failing that, name anywhere. */
function storeOf(weights: readonly Weight[]): NamedStore {
  const [first, anywhere] = [new Map<string, Weight[]>(), new Map<string, Weight[]>()];
  const add = (map: Map<string, Weight[]>, name: string, weight: Weight): void => {
    const list = map.get(name);
    if (list) list.push(weight);
    else map.set(name, [weight]);
  };
  for (const weight of weights) {
    const parts = weight.path.split('/').slice(0, -1);
    if (parts.length) add(first, parts[0]!, weight);
    for (const part of new Set(parts.slice(1))) add(anywhere, part, weight);
  }
  return new NamedStore((name) => first.get(name) ?? anywhere.get(name) ?? []);
}
