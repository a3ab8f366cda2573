import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GatefoldError } from '../../base/errors.ts';
import { decodeUtf8 } from '../../base/utf8.ts';
import type { Engine } from '../../engine/engine.ts';
import { readAudio } from '../../formats/audio.ts';
import { loadModel } from '../../formats/gatefold.ts';
import { readKeras } from '../../formats/keras.ts';
import { readOnnx } from '../../formats/onnx/read.ts';
import { readPytorch } from '../../formats/pytorch.ts';
import type { PytorchFile, PytorchOptions } from '../../formats/pytorch.ts';
import { readSafetensors } from '../../formats/safetensors/read.ts';
import { isHdf5 } from '../../formats/shared/hdf5.ts';
import { build } from '../../formats/shared/imported.ts';
import type { ImportedModel } from '../../formats/shared/imported.ts';
import { isZip, readZip } from '../../formats/shared/zip.ts';
import { readTf1 } from '../../formats/tf1.ts';
import { readTfjs } from '../../formats/tfjs.ts';
import type { Model } from '../../model/model.ts';
import { naming } from '../../node/files.ts';
import { register } from '../../ops/index.ts';
import { program } from '../../ops/program/program.ts';
import { fail, reasonOf } from '../failure.ts';
import { readFile, readJson } from './files.ts';

// As gatefold/formats/onnx does, whose file must not share this: bundlers drop what chunks run.
register(program);

/** A model file of any format that was read, all but an engine. */
export interface OpenModel {
  readonly path: string;
  /** As people call it. */
  readonly format: string;
  /** Of all of its files. */
  readonly bytes: number;
  /** Tensors without wiring: what a PyTorch file has, where nobody has described it. */
  readonly unwired?: PytorchFile;
  load(engine: Engine): Model;
}

/**
 * What `--description` may name: a description, or the options of the reader, one of which is the
 * description.
 */
export type ReaderOptions = Readonly<Record<string, unknown>>;

/** Most bytes of tensors as float32: what the engine of a command holds. */
const MAX_BYTES = 2 ** 30;
const MAX_FILES = 4096;
const OPEN_BRACE = 0x7b;
const SPACES: readonly number[] = [0x20, 0x0a, 0x0d, 0x09];
/** The first field of an ONNX file, `ir_version`, which all exporters write first. */
const ONNX_FIRST = 0x08;
const PICKLE = 0x80;

/** What the commands for models are told of the file. */
export interface WiringOptions {
  readonly description?: string;
  readonly dims?: string;
  readonly set?: string;
  readonly carry?: string;
}

/** Values by name, as `batch=1,time=512`. */
function pairsOf(option: string, text: string, wanted: string): [name: string, value: string][] {
  return text.split(',').map((pair) => {
    const [name, value, ...more] = pair.split('=');
    if (!name || !value?.trim() || more.length) fail(`--${option} expected ${wanted}`);
    return [name, value];
  });
}

function numbersOf(option: string, text: string): Record<string, number> {
  const wanted = 'names and numbers such as batch=1,time=512';
  const pairs = pairsOf(option, text, wanted).map(
    ([name, value]) => [name, Number(value)] as const,
  );
  if (!pairs.every(([, value]) => Number.isFinite(value))) fail(`--${option} expected ${wanted}`);
  return Object.fromEntries(pairs);
}

/** Options of the reader: what a file says of the wiring, and sizes; `undefined` without any. */
export async function readOptions({
  description,
  dims,
  set,
  carry,
}: WiringOptions): Promise<ReaderOptions | undefined> {
  const wiring = await readWiring(description);
  if (dims === undefined && set === undefined && carry === undefined) return wiring;
  const wanted = 'outputs and the inputs that they become, such as stateN=state';
  return {
    ...wiring,
    ...(dims !== undefined && { dims: numbersOf('dims', dims) }),
    ...(set !== undefined && { set: numbersOf('set', set) }),
    ...(carry !== undefined && { carry: Object.fromEntries(pairsOf('carry', carry, wanted)) }),
  };
}

async function readWiring(path: string | undefined): Promise<ReaderOptions | undefined> {
  if (path === undefined) return undefined;
  const given = await readJson(path);
  if (isArchitecture(given)) return { architecture: given };
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return fail(`${path} expected a description: { "layers": [...] }`);
  }
  return 'layers' in given && Array.isArray(given.layers)
    ? { description: given }
    : (given as ReaderOptions);
}

/** Whether it is what `model.to_json()` of Keras gave, or that text as JSON once more. */
const isArchitecture = (json: unknown): boolean =>
  typeof json === 'string'
    ? /^\{.*"class_name"/s.test(json)
    : typeof json === 'object' && json !== null && 'class_name' in json && 'config' in json;

/** Reads a model file, or the folder of one, whatever it is called. */
export async function openModel(
  path: string,
  options: ReaderOptions | undefined,
): Promise<OpenModel> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    return fail(`cannot read ${path}: ${reasonOf(error)}`);
  }
  if (isFolder) return openFolder(path, options);
  const bytes = await readFile(path);
  const json = jsonOf(bytes);
  const name = json && kindOfJson(json);
  if (isArchitecture(json)) {
    return fail(
      `${path} is the architecture of a Keras model without its weights: give the file of the weights, and this one as its --description`,
    );
  }
  if (name === 'folder') return openFolder(dirname(path), options, basename(path));
  const beside = bytes[0] === ONNX_FIRST ? await filesBeside(path) : undefined;
  return saying(path, options, () => openBytes(path, bytes, options, beside));
}

/** Files with the tensors of an ONNX file, whose names begin with its own. */
async function filesBeside(path: string): Promise<Map<string, Uint8Array>> {
  const own = basename(path);
  const names = await readdir(dirname(path));
  const data = new Map<string, Uint8Array>();
  for (const name of names.filter((one) => one.startsWith(own) && one.endsWith('data'))) {
    data.set(name, await readFile(join(dirname(path), name)));
  }
  return data;
}

/** Files of JSON that others lie beside, by the folder that they are in. */
function kindOfJson(json: object): 'folder' | 'audio' {
  if ('modelTopology' in json || 'weightsManifest' in json) return 'folder';
  const values = Object.values(json);
  const isManifest = values.some((value) => isEntry(value)) && values.every(isEntry);
  return isManifest ? 'folder' : 'audio';
}

const isEntry = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'filename' in value && 'shape' in value;

function jsonOf(bytes: Uint8Array): object | undefined {
  const first = bytes.subarray(0, 64).find((byte) => !SPACES.includes(byte));
  if (first !== OPEN_BRACE) return undefined;
  try {
    return JSON.parse(decodeUtf8(bytes) ?? '') as object;
  } catch {
    return undefined;
  }
}

/** Lets refusals name the file, and say where a description is given. */
function saying<T>(path: string, options: ReaderOptions | undefined, read: () => T): T {
  try {
    return naming(path, read);
  } catch (error) {
    if (!(error instanceof GatefoldError) || error.code !== 'ERR_ARGUMENT' || options) throw error;
    if (!error.message.includes('description')) return fail(`${path}: ${error.message}`);
    return fail(`${path}: ${error.message}; save it as a file, and name that by --description`);
  }
}

function openBytes(
  path: string,
  bytes: Uint8Array,
  options: ReaderOptions | undefined,
  beside: ReadonlyMap<string, Uint8Array> | undefined,
): OpenModel {
  const imported = (format: string, read: () => ImportedModel): OpenModel => {
    const found = read();
    return { path, format, bytes: bytes.length, load: (engine) => build(engine, found) };
  };
  const given = (options ?? {}) as object;
  if (isHdf5(bytes)) return imported('Keras, HDF5', () => readKeras(bytes, given));
  if (isZip(bytes)) {
    const names = [...readZip(bytes, { maxEntries: 65_536, maxInflated: MAX_BYTES }).keys()];
    if (names.includes('config.json')) return imported('Keras', () => readKeras(bytes, given));
    if (names.every((name) => name.endsWith('.npy')))
      return imported('TensorFlow 1, .npz', () => readTf1(bytes, given));
    return openPytorch(path, 'PyTorch', bytes, options);
  }
  if (jsonOf(bytes)) return imported('audio, JSON', () => readAudio(bytes, given));
  if (bytes.length > 9 && bytes[8] === OPEN_BRACE && bytes[7] === 0) {
    const { metadata } = readSafetensors(bytes, { maxBytes: MAX_BYTES });
    if (!options && metadata['gatefold.model'] !== undefined) {
      const load = (engine: Engine): Model => naming(path, () => loadModel(engine, bytes));
      return { path, format: 'gatefold', bytes: bytes.length, load };
    }
    return openPytorch(path, 'safetensors', bytes, options);
  }
  const isPickled = bytes[0] === PICKLE || bytes[0] === 0x28 || bytes[0] === 0x63;
  if (bytes[0] === ONNX_FIRST) {
    return imported('ONNX', () => readOnnx(bytes, { ...given, ...(beside && { data: beside }) }));
  }
  if (isPickled) return openPytorch(path, 'PyTorch', bytes, options);
  throw new GatefoldError(
    'ERR_FORMAT',
    'no model file that gatefold knows: it reads Keras, PyTorch, ONNX, TensorFlow.js, safetensors and audio plug-ins',
  );
}

function openPytorch(
  path: string,
  format: string,
  bytes: Uint8Array,
  options: ReaderOptions | undefined,
): OpenModel {
  const file = readPytorch(bytes, (options ?? {}) as PytorchOptions);
  const { description, tensors, metadata } = file;
  if (description) {
    const load = (engine: Engine): Model => build(engine, { description, tensors, metadata });
    return { path, format, bytes: bytes.length, load };
  }
  const load = (): never => fail(`${path}: ${wanting(file)}`);
  return { path, format, bytes: bytes.length, unwired: file, load };
}

/** Why tensors alone do not run, and what may be their wiring. */
function wanting({ proposal, problem }: PytorchFile): string {
  const start = 'it has tensors, and no wiring';
  if (!proposal)
    return `${start}; describe it in a file for --description: ${problem ?? 'it has no modules'}`;
  return `${start}. From the order of its modules this may be it: check it, save it as a file, and name that by --description: ${JSON.stringify(proposal)}`;
}

/** A folder with `model.json` of TensorFlow.js, or with `manifest.json` and a file a tensor. */
async function openFolder(
  folder: string,
  options: ReaderOptions | undefined,
  named?: string,
): Promise<OpenModel> {
  const names = await readdir(folder);
  const main = named ?? ['model.json', 'manifest.json'].find((name) => names.includes(name));
  if (main === undefined) {
    return fail(`${folder} expected a folder with a model.json or a manifest.json`);
  }
  const json = await readJson(join(folder, main));
  const files = new Map<string, Uint8Array>();
  let bytes = 0;
  for (const name of filesNamed(json)) {
    // A file names what lies beside it, and nothing else.
    const own = basename(name);
    if (!names.includes(own) || files.has(name)) continue;
    const content = await readFile(join(folder, own));
    files.set(name, content);
    bytes += content.length;
  }
  const isTfjs = typeof json === 'object' && json !== null && 'modelTopology' in json;
  const path = join(folder, main);
  return saying(path, options, () => {
    const given = (options ?? {}) as object;
    const found = isTfjs
      ? readTfjs(json, files, given)
      : readTf1(files.set('manifest.json', encode(json)), given);
    const format = isTfjs ? 'TensorFlow.js' : 'TensorFlow 1';
    return { path, format, bytes, load: (engine) => build(engine, found) };
  });
}

const encode = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));

/** The files that a manifest names. */
function filesNamed(json: unknown): string[] {
  if (typeof json !== 'object' || json === null) return [];
  const groups = 'weightsManifest' in json ? json.weightsManifest : undefined;
  if (Array.isArray(groups)) {
    return groups
      .flatMap((group: { paths?: unknown }) => (Array.isArray(group?.paths) ? group.paths : []))
      .filter((name): name is string => typeof name === 'string')
      .slice(0, MAX_FILES);
  }
  return Object.values(json)
    .map((entry: { filename?: unknown } | null) => entry?.filename)
    .filter((name): name is string => typeof name === 'string')
    .slice(0, MAX_FILES);
}
