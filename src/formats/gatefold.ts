import { complete } from '../ops/description.ts';
import type { Engine } from '../engine/engine.ts';
import { checkObject, readOptions, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { Model, storeOf } from '../model/model.ts';
import type { Metadata } from '../model/model.ts';
import { below } from '../graph/parameters.ts';
import type { Trainer } from '../training/trainer.ts';
import { BEST } from '../training/options.ts';
import { FORMAT_NUMBER } from '../training/snapshot.ts';
import type { Snapshot } from '../training/options.ts';
import type { StateDict, Tensor } from '../base/tensor.ts';
import type { ModelDescription } from '../ops/index.ts';
import { parametersOf, savedTensors } from '../graph/layout.ts';
import type { SavedTensor } from '../graph/layout.ts';
import { lower } from '../graph/graph.ts';
import { isPlain, scanJson } from './shared/json-scan.ts';
import { viewSafetensors } from './safetensors/read.ts';
import type { SafetensorsFile } from './safetensors/read.ts';
import { writeSafetensors } from './safetensors/write.ts';

/** Keys of the metadata that belong to this package. */
const DESCRIPTION = 'gatefold.model';
const TRAINER = 'gatefold.trainer';
const CHECKSUM = 'gatefold.checksum';
const FORMAT = 'gatefold.format';
const METADATA = 'gatefold.metadata';
/**
 * Prefixes of a trainer's file: of the model's parameters (`Trainer.snapshot` gives it), and of
 * what the caller adds.
 */
const PARAMETERS = 'model.';
const EXTRA = 'extra.';
const MAX_JSON_DEPTH = 64;
/** Most characters of the JSON under one key. */
const MAX_JSON = 2 ** 20;
/** What a caller keeps in the file beside the model. */
export interface Extras {
  /** By names of yours. */
  readonly tensors?: ReadonlyMap<string, Tensor>;
  /** Keys must not begin with `gatefold.`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The same of a trainer, which may have been another meanwhile. */
export interface TrainerExtras extends Extras {
  /** What `trainer.snapshot()` or `fit` gave; default the trainer as it is. */
  readonly snapshot?: Snapshot;
}

/** A file's bytes, or what `readSafetensors` made of them. */
export type Source = Uint8Array | ArrayBuffer | SafetensorsFile;

/** `isOwn` of what outlives the call: else its tensors may be views of the source. */
function open(source: Source, isOwn = false): SafetensorsFile {
  const isOpen = typeof source === 'object' && source !== null && 'tensors' in source;
  const file = isOpen ? source : viewSafetensors(source, {}, isOwn);
  // This package writes none.
  if (DESCRIPTION in file.metadata && file.skipped.length > 0) misfit();
  return file;
}

function foreign(problem: string, fix: string): never {
  throw new GatefoldError('ERR_FORMAT', `not a file this package can use: ${problem}; ${fix}`);
}

function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  if (!Object.keys(checkObject('metadata', metadata)).some((key) => key.startsWith('gatefold.')))
    return;
  throw new GatefoldError(
    'ERR_ARGUMENT',
    '"metadata" expected keys that do not begin with "gatefold."',
  );
}

function checkTrainer(trainer: Trainer): void {
  if (typeof (trainer as Trainer | null | undefined)?.snapshot === 'function') return;
  throw new GatefoldError('ERR_ARGUMENT', `"trainer" expected a Trainer, got ${show(trainer)}`);
}

/** Refuses a file of another format rather than reading half of it. */
function checkFormat(metadata: Readonly<Record<string, string>>): void {
  const number = metadata[FORMAT] ?? '1';
  if (metadata[DESCRIPTION] === undefined || number === FORMAT_NUMBER) return;
  const isOlder = Number(number) < Number(FORMAT_NUMBER);
  foreign(
    `it has format ${number.slice(0, 20)}, and this version reads format ${FORMAT_NUMBER}`,
    isOlder
      ? 'it was written by an older version: build the model again and give its tensors to loadStateDict'
      : 'it was written by a newer version: update this package',
  );
}

function parseOwn(text: string | undefined, key: string, fix: string): unknown {
  if (text === undefined) foreign(`its metadata has no "${key}"`, fix);
  if (text.length > MAX_JSON || scanJson(text, MAX_JSON_DEPTH, isPlain) !== undefined) {
    foreign(`its "${key}" is damaged`, fix);
  }
  try {
    return JSON.parse(text);
  } catch {
    return foreign(`its "${key}" is damaged`, fix);
  }
}

/**
 * A model as a safetensors file: parameters by PyTorch's names, the description as JSON in the
 * metadata. Matrices with int8 weights are I8, the scales of their rows and columns F32 under the
 * same name with `_scale` and `_column_scale` behind it; `_outlier` has places and values.
 *
 * @example
 *   const bytes = saveModel(model, { note: 'a first try' });
 *   const same = loadModel(engine, bytes);
 */
export function saveModel(
  model: Model,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const store = storeOf(model);
  checkMetadata(metadata);
  return writeSafetensors(store.readSaved(), {
    [FORMAT]: FORMAT_NUMBER,
    ...describing(model),
    ...metadata,
  });
}

/** What a file says of the model itself. */
function describing({ description, metadata }: Model): Record<string, string> {
  const own = { [DESCRIPTION]: JSON.stringify(description) };
  if (Object.keys(metadata).length === 0) return own;
  const text = JSON.stringify(metadata);
  if (text.length > MAX_JSON) {
    const message = `the metadata of the model takes ${text.length} characters, of which a file keeps at most ${MAX_JSON}; keep the rest in a file of its own`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  return { ...own, [METADATA]: text };
}

function readMetadata(text: string | undefined): Metadata {
  const fix = 'save the model again';
  const told = parseOwn(text ?? '{}', METADATA, fix);
  if (typeof told === 'object' && told !== null && !Array.isArray(told)) return told as Metadata;
  return foreign(`its "${METADATA}" is damaged`, fix);
}

/**
 * The model of a file that `saveModel` or `saveTrainer` wrote; of a run that keeps its best
 * parameters, with those.
 */
export function loadModel(engine: Engine, source: Source): Model {
  const { tensors, metadata: texts } = open(source);
  checkFormat(texts);
  const fix =
    'name one that saveModel or saveTrainer wrote; loadPytorch of gatefold/formats/pytorch takes others';
  const description = parseOwn(texts[DESCRIPTION], DESCRIPTION, fix) as ModelDescription;
  let kept = tensors;
  if (texts[TRAINER] !== undefined) {
    const best = below(tensors, BEST);
    kept = best.size > 0 ? best : below(tensors, PARAMETERS);
  }
  checkTensors(description, kept);
  const metadata = readMetadata(texts[METADATA]);
  const model = Model.create(engine, description, { init: 'zeros', metadata });
  try {
    const store = storeOf(model);
    store.write(store.values, store.check(kept, true));
    store.prepare();
    return model;
  } catch (error) {
    model.dispose();
    if (!(error instanceof GatefoldError) || error.code === 'ERR_MEMORY') throw error;
    return misfit();
  }
}

function misfit(): never {
  foreign('its tensors are not those of the model it describes', 'save the model again');
}

/**
 * Refuses a file without exactly the tensors that it describes, before the engine takes any memory.
 */
function checkTensors(description: ModelDescription, tensors: SafetensorsFile['tensors']): void {
  let wanted: SavedTensor[];
  try {
    wanted = savedTensors(parametersOf(lower(complete(description)), description).parameters);
  } catch (error) {
    // Only what an import would add is unsupported.
    if (error instanceof GatefoldError && error.code === 'ERR_UNSUPPORTED') throw error;
    return foreign('it describes no model that this version can build', 'update this package');
  }
  const isThere = ({ name, shape, int8 }: SavedTensor): boolean => {
    const tensor = tensors.get(name);
    if (tensor === undefined || !isSame(tensor.shape, shape)) return false;
    // Whole numbers without their scales are no weights.
    return int8 || tensor.dtype !== 'I8';
  };
  if (tensors.size !== wanted.length || !wanted.every(isThere)) misfit();
}

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, k) => size === b[k]);

/**
 * FNV-1a over words of 32 bits: of everything in a trainer's file, since a bit that flips in a
 * moment would show in nothing else. Every step can be undone, so that no change of a single word
 * goes unseen.
 */
function checksumOf(tensors: StateDict, metadata: Readonly<Record<string, string>>): string {
  let hash = 0x811c9dc5;
  const add = (word: number): void => {
    hash = Math.imul(hash ^ word, 0x01000193);
  };
  const addText = (text: string): void => {
    for (let i = 0; i < text.length; i++) add(text.charCodeAt(i));
  };
  for (const [name, { shape, data }] of tensors) {
    addText(`${name} ${shape.join()};`);
    for (const word of new Int32Array(data.buffer, data.byteOffset, data.length)) add(word);
  }
  const texts = Object.entries(metadata).filter(([key]) => key !== CHECKSUM);
  for (const [key, text] of texts) addText(`${key} ${text};`);
  return String(hash >>> 0);
}

/**
 * Everything of a trainer, its model too: `loadModel` reads the file as well. `snapshot` stands for
 * the trainer as it was then.
 *
 * @example
 *   const bytes = saveTrainer(trainer);
 *   loadTrainer(trainer, bytes); // as it was, bit for bit
 */
export function saveTrainer(trainer: Trainer, extras: TrainerExtras = {}): Uint8Array {
  checkTrainer(trainer);
  const given = readOptions('extras', extras, ['tensors', 'metadata', 'snapshot']);
  const { tensors: own, metadata = {}, snapshot = trainer.snapshot() } = given;
  checkMetadata(metadata);
  const tensors: StateDict = new Map(snapshot.tensors);
  for (const [name, tensor] of own ?? []) tensors.set(EXTRA + name, tensor);
  const texts = {
    [FORMAT]: FORMAT_NUMBER,
    ...describing(trainer.model),
    [TRAINER]: JSON.stringify(snapshot.metadata),
    ...metadata,
  };
  return writeSafetensors(tensors, { ...texts, [CHECKSUM]: checksumOf(tensors, texts) });
}

const OF_ANOTHER = 'create the trainer with the model and options it was saved with';

/** The snapshot in a file of a trainer that was created like this one, and the extras. */
export function readTrainer(
  trainer: Trainer,
  source: Source,
  isOwn = true,
): Required<Extras> & { snapshot: Snapshot } {
  checkTrainer(trainer);
  const { tensors, metadata: texts } = open(source, isOwn);
  checkFormat(texts);
  const fix = 'name one that saveTrainer wrote';
  const kept = parseOwn(texts[TRAINER], TRAINER, fix);
  const isText = (value: unknown): boolean => typeof value === 'string';
  if (typeof kept !== 'object' || kept === null || !Object.values(kept).every(isText)) {
    foreign(`its "${TRAINER}" is damaged`, fix);
  }
  const snapshot: Snapshot = { tensors, metadata: kept as Record<string, string> };
  if (!['baseline', 'relaxed'].includes(snapshot.metadata.simd!)) {
    foreign('it names no SIMD variant that this version has', 'update this package');
  }
  if (texts[CHECKSUM] !== checksumOf(tensors, texts)) {
    foreign('its checksum says that it is damaged', 'go back to an earlier copy');
  }
  if (texts[DESCRIPTION] !== JSON.stringify(trainer.model.description)) {
    foreign('it is of a trainer of another model', OF_ANOTHER);
  }
  const own = Object.entries(texts).filter(([key]) => !key.startsWith('gatefold.'));
  const extras = [...below(tensors, EXTRA)].map(([name, { shape, data }]) => {
    return [name, { shape, data: isOwn ? data : data.slice() }] as const;
  });
  return { tensors: new Map(extras), metadata: Object.fromEntries(own), snapshot };
}

/**
 * Puts a trainer, created like the saved one, into the saved state: it goes on bit for bit where
 * that one stopped (on another SIMD variant, to rounding). Gives back the extras.
 */
export function loadTrainer(trainer: Trainer, source: Source): Required<Extras> {
  const { snapshot, ...extras } = readTrainer(trainer, source, false);
  try {
    trainer.restore(snapshot);
  } catch (error) {
    const isForeign = error instanceof GatefoldError && error.code !== 'ERR_DISPOSED';
    if (!isForeign) throw error;
    foreign(`it is of another trainer: ${(error as Error).message}`, OF_ANOTHER);
  }
  return extras;
}
