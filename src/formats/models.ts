import type { Engine } from '../engine.ts';
import { GatefoldError } from '../errors.ts';
import { Model } from '../model.ts';
import type { Trainer } from '../train.ts';
import type { ModelDescription, StateDict, Tensor } from '../types.ts';
import { scanJson } from './json-scan.ts';
import { readSafetensors } from './safetensors-read.ts';
import type { SafetensorsFile } from './safetensors-read.ts';
import { writeSafetensors } from './safetensors-write.ts';

/** Keys of the metadata that belong to this package. */
const DESCRIPTION = 'gatefold.model';
const TRAINER = 'gatefold.trainer';
/** Prefix of the tensors that a caller adds to a trainer's file; no layer's name holds a colon. */
const EXTRA = 'extra:';
const MAX_JSON_DEPTH = 64;
/** Names to show of a list that may be long. */
const NAMES_SHOWN = 6;

/** What a caller keeps in the file beside the model. */
export interface Extras {
  readonly tensors?: ReadonlyMap<string, Tensor>;
  /** Keys must not begin with `gatefold.`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A file's bytes, or what `readSafetensors` made of them. */
export type Source = Uint8Array | ArrayBuffer | SafetensorsFile;

function open(source: Source): SafetensorsFile {
  return 'tensors' in source ? source : readSafetensors(source);
}

function foreign(problem: string, fix: string): never {
  throw new GatefoldError('ERR_FORMAT', `not a file this package can use: ${problem}; ${fix}`);
}

function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  if (!Object.keys(metadata).some((key) => key.startsWith('gatefold.'))) return;
  throw new GatefoldError(
    'ERR_ARGUMENT',
    '"metadata" expected keys that do not begin with "gatefold."',
  );
}

function parseOwn(text: string | undefined, key: string, fix: string): unknown {
  if (text === undefined) foreign(`its metadata has no "${key}"`, fix);
  if (text.length > 2 ** 20 || scanJson(text, MAX_JSON_DEPTH) !== undefined) {
    foreign(`its "${key}" is damaged`, fix);
  }
  try {
    return JSON.parse(text);
  } catch {
    return foreign(`its "${key}" is damaged`, fix);
  }
}

/** A model as a safetensors file: parameters by PyTorch's names, the description as JSON in the metadata. */
export function saveModel(
  model: Model,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  checkMetadata(metadata);
  const description = JSON.stringify(model.description);
  return writeSafetensors(model.stateDict(), { [DESCRIPTION]: description, ...metadata });
}

/** The model of a file that `saveModel` or `saveTrainer` wrote. */
export function loadModel(engine: Engine, source: Source): Model {
  const { tensors, metadata } = open(source);
  const fix =
    'name one that saveModel or saveTrainer wrote, or build the model and call loadPytorch';
  const description = parseOwn(metadata[DESCRIPTION], DESCRIPTION, fix) as ModelDescription;
  let model: Model;
  try {
    model = Model.create(engine, description);
  } catch (error) {
    const isOurs = error instanceof GatefoldError && error.code === 'ERR_ARGUMENT';
    if (!isOurs) throw error;
    return foreign('it describes no model that this version can build', 'update this package');
  }
  try {
    const names = model.stateDict().keys();
    const isTrainer = metadata[TRAINER] !== undefined;
    model.loadStateDict(isTrainer ? pick(tensors, names) : tensors);
    return model;
  } catch (error) {
    model.dispose();
    if (!(error instanceof GatefoldError) || error.code === 'ERR_MEMORY') throw error;
    return foreign('its tensors are not those of the model it describes', 'save the model again');
  }
}

function pick(tensors: ReadonlyMap<string, Tensor>, names: Iterable<string>): StateDict {
  const picked: StateDict = new Map();
  for (const name of names) {
    const tensor = tensors.get(name);
    if (tensor !== undefined) picked.set(name, tensor);
  }
  return picked;
}

/** Everything of a trainer, its model too: `loadModel` reads the file as well. */
export function saveTrainer(trainer: Trainer, extras: Extras = {}): Uint8Array {
  checkMetadata(extras.metadata ?? {});
  const snapshot = trainer.snapshot();
  const tensors: StateDict = new Map(snapshot.tensors);
  for (const [name, tensor] of extras.tensors ?? []) tensors.set(EXTRA + name, tensor);
  return writeSafetensors(tensors, {
    [DESCRIPTION]: JSON.stringify(trainer.model.description),
    [TRAINER]: JSON.stringify(snapshot.metadata),
    ...extras.metadata,
  });
}

/**
 * Puts a trainer, created like the saved one, into the saved state: it goes on bit for bit where that one stopped (on another SIMD
 * variant, to rounding). Gives back the extras.
 */
export function loadTrainer(trainer: Trainer, source: Source): Required<Extras> {
  const file = open(source);
  const fix = 'name one that saveTrainer wrote';
  const kept = parseOwn(file.metadata[TRAINER], TRAINER, fix);
  const isText = (value: unknown): boolean => typeof value === 'string';
  if (typeof kept !== 'object' || kept === null || !Object.values(kept).every(isText)) {
    foreign(`its "${TRAINER}" is damaged`, fix);
  }
  const snapshot: StateDict = new Map();
  const tensors: StateDict = new Map();
  for (const [name, tensor] of file.tensors) {
    if (name.startsWith(EXTRA)) tensors.set(name.slice(EXTRA.length), tensor);
    else snapshot.set(name, tensor);
  }
  trainer.restore({ tensors: snapshot, metadata: kept as Record<string, string> });
  const own = Object.entries(file.metadata).filter(([key]) => !key.startsWith('gatefold.'));
  return { tensors, metadata: Object.fromEntries(own) };
}

/** Names as printable text, so that a foreign file cannot write to a terminal through a message. */
function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map((name) => {
    return name.slice(0, 80).replace(/[^\x20-\x7e]/g, '?');
  });
  const more = names.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** What a name tells about layers that this package cannot build. */
function hintFor(unexpected: readonly string[], missing: readonly string[]): string {
  if (unexpected.some((name) => name.endsWith('_reverse')))
    return 'bidirectional layers are not supported';
  if (unexpected.some((name) => name.includes('weight_hr_')))
    return 'projections (proj_size) are not supported';
  if (missing.length > 0 && missing.every((name) => name.includes('bias'))) {
    return 'describe the layers with bias: false';
  }
  if (unexpected.length > 0 && unexpected.every((name) => name.includes('bias'))) {
    return 'describe the layers with bias: true';
  }
  return 'name the layers as the modules of the state_dict, and pass { prefix } for a part of it';
}

/** Entries below the prefix; those of a module that is itself the one layer get that layer's name. */
function below(tensors: ReadonlyMap<string, Tensor>, prefix: string, model: Model): StateDict {
  const found: StateDict = new Map();
  for (const [name, tensor] of tensors) {
    if (name.startsWith(prefix)) found.set(name.slice(prefix.length), tensor);
  }
  const { layers } = model.description;
  const own = `${layers[0]!.name}.`;
  if (layers.length > 1 || [...found.keys()].some((name) => name.startsWith(own))) return found;
  return new Map([...found].map(([name, tensor]) => [own + name, tensor]));
}

/**
 * Loads the `state_dict` of a PyTorch module whose `nn.RNN`, `nn.LSTM`, `nn.GRU`, `nn.Linear` and `nn.Embedding` bear the names of the
 * model's layers (written with `safetensors.torch.save_file`). With `prefix`, only the entries whose names begin with it, without it.
 */
export function loadPytorch(model: Model, source: Source, options: { prefix?: string } = {}): void {
  const found = below(open(source).tensors, options.prefix ?? '', model);
  const wanted = model.stateDict();
  const missing = [...wanted.keys()].filter((name) => !found.has(name));
  const unexpected = [...found.keys()].filter((name) => !wanted.has(name));
  if (missing.length > 0 || unexpected.length > 0) {
    const parts = ['the state_dict does not fit the model'];
    if (missing.length > 0) parts.push(`missing: ${list(missing)}`);
    if (unexpected.length > 0) parts.push(`unexpected: ${list(unexpected)}`);
    throw new GatefoldError('ERR_FORMAT', [...parts, hintFor(unexpected, missing)].join('; '));
  }
  const differ = [...wanted].filter(
    ([name, { shape }]) => `${found.get(name)!.shape}` !== `${shape}`,
  );
  if (differ.length > 0) {
    const shapes = differ.map(([name, { shape }]) => {
      return `${name} [${found.get(name)!.shape.join(', ')}] for [${shape.join(', ')}]`;
    });
    const message = `the state_dict has other sizes than the model: ${list(shapes)}; describe the sizes it was trained with`;
    throw new GatefoldError('ERR_FORMAT', message);
  }
  model.loadStateDict(found);
}
