import {
  checkFlag,
  checkInteger,
  checkObject,
  checkText,
  readOptions,
  show,
} from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import type { StateDict } from '../../base/tensor.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Metadata, Model } from '../../model/model.ts';
import type { LayerSpec, ModelDescription } from '../../ops/index.ts';
import { viewSafetensors } from '../safetensors/read.ts';
import type { SafetensorsFile, SkippedTensor } from '../safetensors/read.ts';
import { asBytes } from '../shared/bytes.ts';
import { build } from '../shared/imported.ts';
import type { ImportedModel } from '../shared/imported.ts';
import { openArchive } from './archive.ts';
import { fitTensors } from './fit.ts';
import type { Rename } from './fit.ts';
import { modulesOf, tensorName } from './modules.ts';
import type { PytorchModule } from './modules.ts';
import { propose, rootOf } from './proposal.ts';
import { TensorReader, isFloat } from './tensors.ts';
import type { FileTensor } from './tensors.ts';
import { contentsOf } from './walk.ts';
import type { ModuleRecord } from './walk.ts';

/** How `readPytorch` reads. */
export interface PytorchOptions {
  /**
   * The wiring, which a state_dict does not say. Layers bear the names of the modules that have
   * their tensors.
   */
  readonly description?: ModelDescription;
  /**
   * Reads the tensors whose names begin with it alone, without it, such as
   * `'state_dict.model.'`. Default: where all parameters of the description are.
   */
  readonly prefix?: string;
  /**
   * What the model calls tensors or modules that the file calls otherwise: `{ rnn: 'encoder' }`. A
   * list shares the columns of a matrix among parameters: `{ 'i2h.weight': ['rnn.weight_ih_l0',
   * 'rnn.weight_hh_l0'] }`.
   */
  readonly rename?: Rename;
  /** Whether tensors that the description has not are an error; default true. */
  readonly strict?: boolean;
  /** Most bytes that the tensors may take as float32; default twice the file, and 64 KiB. */
  readonly maxBytes?: number;
}

/** What a PyTorch file holds. */
export interface PytorchFile {
  /**
   * By their names below the prefix; with a description exactly its parameters. Names that share
   * their elements in the file share one array.
   */
  readonly tensors: StateDict;
  /** What has no float32 form that layers take, or was not wanted. */
  readonly skipped: readonly SkippedTensor[];
  /** Modules in the order of the file. */
  readonly modules: readonly PytorchModule[];
  /** A guess at the wiring from the order of the modules; `undefined` where none fits. */
  readonly proposal?: ModelDescription;
  /** Why there is none. */
  readonly problem?: string;
  /** What else the file says: `class`, `batchFirst`, `file`. */
  readonly metadata: Metadata;
  /** What the caller gave. */
  readonly description?: ModelDescription;
}

/** Bytes of a file, or what `readSafetensors` made of them. */
export type PytorchSource = Uint8Array | ArrayBuffer | SafetensorsFile;

/** What `readPytorch` gave, as it was. */
const files = new WeakMap<PytorchFile, PytorchFile>();

/** What all kinds of files come down to. */
interface Opened {
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly records: ReadonlyMap<string, ModuleRecord>;
  readonly plain: Readonly<Record<string, unknown>>;
  /** Memory that tensors may be views of. */
  readonly buffer?: ArrayBufferLike;
  readonly bytes: number;
}

const KEYS = ['description', 'prefix', 'rename', 'strict', 'maxBytes'] as const;
const SLACK = 2 ** 16;
const OPEN_BRACE = 0x7b;
/** Files of others, by how they begin. */
const OTHERS: readonly (readonly [string, number, string])[] = [
  ['\x89HDF', 0, 'an HDF5 file: use gatefold/formats/keras'],
  ['\x1f\x8b', 0, 'packed by gzip: unpack it first'],
  ['ustar', 257, 'a tar archive of PyTorch before 0.1.12: save it again'],
  ['GGUF', 0, 'a GGUF file'],
];

function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.length >= 10 && bytes[8] === OPEN_BRACE && bytes[6] === 0 && bytes[7] === 0;
}

function refuseOthers(bytes: Uint8Array): void {
  for (const [magic, at, what] of OTHERS) {
    if (![...magic].every((letter, k) => bytes[at + k] === letter.charCodeAt(0))) continue;
    throw new GatefoldError('ERR_FORMAT', `not a PyTorch file: it is ${what}`);
  }
}

function open(source: PytorchSource): Opened {
  const isOpen = typeof source === 'object' && source !== null && 'tensors' in source;
  const bytes = isOpen ? undefined : asBytes(source);
  if (isOpen || isSafetensors(bytes!)) {
    const file = isOpen ? source : viewSafetensors(bytes!);
    const tensors = new Map<string, FileTensor>();
    let total = 0;
    for (const [name, { dtype, shape, data }] of file.tensors) {
      tensors.set(name, { dtype, shape, key: name, cost: 4 * data.length, read: () => data });
      total += 4 * data.length;
    }
    for (const { name, dtype, shape } of file.skipped) {
      tensors.set(name, { dtype, shape, key: name, cost: 0, read: () => undefined });
    }
    const buffer = bytes?.buffer;
    return { tensors, records: new Map(), plain: { ...file.metadata }, buffer, bytes: total };
  }
  refuseOthers(bytes!);
  const archive = openArchive(bytes!);
  const { tensors, modules, plain } = contentsOf(archive);
  return { tensors, records: modules, plain, buffer: bytes!.buffer, bytes: bytes!.length };
}

/** Names and paths below a prefix, without it, and tensors of cells under the names of layers. */
function below<T>(named: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  const found = new Map<string, T>();
  for (const [name, value] of named) {
    if (!name.startsWith(prefix)) continue;
    const own = name.slice(prefix.length);
    const layer = tensorName(own);
    found.set(named.has(prefix + layer) ? own : layer, value);
  }
  return found;
}

function checkRename(rename: unknown): Rename {
  const isText = (value: unknown): boolean => typeof value === 'string';
  for (const [from, to] of Object.entries(checkObject('options.rename', rename))) {
    if (isText(to) || (Array.isArray(to) && to.length > 0 && to.every(isText))) continue;
    const message = `"options.rename.${from.slice(0, 80)}" expected a name or a list of names, got ${show(to)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  return rename as Rename;
}

/**
 * Reads a file of `torch.save` (zip, legacy or a plain pickle) or a safetensors file, which its
 * content tells. Nothing that it names is called or imported. With a description the tensors are
 * those of such a model: `loadPytorch` builds it, `model.loadStateDict` takes them too.
 */
export function readPytorch(
  source: PytorchSource,
  options: PytorchOptions & { readonly description: ModelDescription },
): PytorchFile & ImportedModel;
export function readPytorch(source: PytorchSource, options?: PytorchOptions): PytorchFile;
export function readPytorch(source: PytorchSource, options: PytorchOptions = {}): PytorchFile {
  return read(source, options, true);
}

function read(source: PytorchSource, options: PytorchOptions, isOwn: boolean): PytorchFile {
  const given = readOptions('options', options, KEYS);
  const { description, prefix, rename = {} } = given;
  if (prefix !== undefined) checkText('options.prefix', prefix);
  const strict = checkFlag('options.strict', given.strict, true);
  checkRename(rename);
  const opened = open(source);
  const most = checkInteger(
    'options.maxBytes',
    given.maxBytes ?? 2 * opened.bytes + SLACK,
    0,
    Number.MAX_SAFE_INTEGER,
  );
  const tensors = below(opened.tensors, prefix ?? '');
  const records = below(opened.records, prefix ?? '');
  const modules = modulesOf(tensors, records);
  const root = rootOf([...tensors].filter(([, tensor]) => isFloat(tensor)).map(([name]) => name));
  const reader = new TensorReader(most, isOwn ? opened.buffer : undefined);
  const found = description
    ? fitTensors(description, tensors, reader, {
        isBelow: prefix !== undefined,
        rename,
        strict,
        root,
      })
    : allOf(tensors, reader);
  const skipped: SkippedTensor[] = [];
  for (const [name, { dtype, shape }] of tensors) {
    if (!found.has(name) && !isFloat({ dtype })) skipped.push({ name, dtype, shape });
  }
  const own = modules.filter(({ name }) => `${name}.`.startsWith(root));
  const { description: proposal, problem } = propose(own, root);
  const file: PytorchFile = {
    tensors: found,
    skipped,
    modules,
    metadata: metadataOf(opened, own),
    ...(proposal && { proposal }),
    ...(problem !== undefined && { problem }),
    ...(description && { description }),
  };
  files.set(file, { ...file });
  return file;
}

function allOf(tensors: ReadonlyMap<string, FileTensor>, reader: TensorReader): StateDict {
  const found: StateDict = new Map();
  for (const [name, tensor] of tensors) {
    if (isFloat(tensor)) found.set(name, { shape: tensor.shape, data: reader.read(name, tensor) });
  }
  return found;
}

function metadataOf({ plain, records }: Opened, modules: readonly PytorchModule[]): Metadata {
  const type = records.get('')?.type;
  const batchFirst = modules.find((module) => module.batchFirst !== undefined)?.batchFirst;
  return {
    source: 'pytorch',
    ...(type && { class: type }),
    ...(batchFirst !== undefined && { batchFirst }),
    ...(Object.keys(plain).length > 0 && { file: plain }),
  };
}

/**
 * A model with the weights of a file, wired as the description says.
 *
 * @example
 *   const model = loadPytorch(engine, bytes, {
 *     description: { layers: [{ type: 'lstm', name: 'rnn', inputSize: 3, hiddenSize: 8 }] },
 *   });
 */
export function loadPytorch(
  engine: Engine,
  source: PytorchSource,
  options: PytorchOptions = {},
): Model {
  const file = read(source, options, false);
  const { description, tensors, metadata, proposal, problem } = file;
  if (description) return build(engine, { description, tensors, metadata });
  const advice = proposal
    ? `the order of its modules suggests the following; check it against forward() of the module (activations between layers, the last step or all of them) and pass it as "description": ${JSON.stringify(proposal)}`
    : `${problem}; write { layers: [...] } from forward() of the module, with the names of its modules: ${namesOf(file)}`;
  const message = `"options.description" is needed, since a state_dict names tensors and no wiring: ${advice}`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

function namesOf({ modules }: PytorchFile): string {
  const names = modules
    .slice(0, 12)
    .map(({ name, layer }) => `${name} (${layer?.type ?? 'unknown'})`);
  return names.join(', ') + (modules.length > 12 ? ` and ${modules.length - 12} more` : '');
}

/**
 * One module of a file as a model of its own: a recurrent one with all of its steps, or with a
 * linear one on its last step.
 *
 * @param file what `readPytorch` gave without a description.
 * @param name as `file.modules` has it.
 */
export function describeModule(file: PytorchFile, name: string, head?: string): ImportedModel {
  const known = files.get(file);
  if (!known) {
    const message = `"file" expected what readPytorch gave, got ${show(file)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const tensors: StateDict = new Map();
  const layerOf = (wanted: string): LayerSpec => {
    const found = known.modules.find((module) => module.name === checkText('name', wanted));
    if (!found?.layer) {
      const message = `the file has no module "${wanted.slice(0, 80)}" that is a layer; it has ${namesOf(known)}`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    const own = wanted || found.layer.type;
    for (const part of Object.keys(found.shapes)) {
      const tensor = known.tensors.get(wanted === '' ? part : `${wanted}.${part}`);
      if (tensor) tensors.set(`${own}.${part}`, tensor);
    }
    return { ...found.layer, name: own };
  };
  const layers = [layerOf(name)];
  // The last step of both ways, where a pool before the head would take the last of each.
  if (head !== undefined) layers.push(layerOf(head), { type: 'pool', mode: 'last' });
  return { description: { layers }, tensors, metadata: known.metadata };
}
