import type { Engine } from '../engine/engine.ts';
import { GatefoldError, shorten } from '../base/errors.ts';
import type { Tensor } from '../base/tensor.ts';
import { naming } from '../node/files.ts';
import { loadModel, readTrainer, saveTrainer } from '../formats/gatefold.ts';
import { readSafetensors } from '../formats/safetensors/read.ts';
import type { SafetensorsFile } from '../formats/safetensors/read.ts';
import type { Model } from '../model/model.ts';
import { storeOf } from '../model/model.ts';
import type { Snapshot, Trainer } from '../training/trainer.ts';
import type { LayerSpec, ModelDescription } from '../ops/index.ts';
import { Vocabulary } from '../data/text.ts';
import { MAX_SEED } from '../base/random.ts';
import { fail } from './failure.ts';
import { someWords } from './shell.ts';

/** Recurrent layers by the name that `--cell` takes. */
export const CELLS = {
  lstm: { type: 'lstm' },
  gru: { type: 'gru' },
  rnn: { type: 'rnn' },
  peephole: { type: 'lstm', peephole: 'diagonal' },
  'peephole-cell': { type: 'lstm', peephole: 'cell' },
  'gru-before': { type: 'gru', resetAfter: false },
} as const;
export type CellName = keyof typeof CELLS;

/**
 * What makes a run: the same settings on the same text give the same model, on the deterministic
 * variant to the last bit.
 */
export interface Settings {
  readonly cell: CellName;
  readonly hidden: number;
  readonly layers: number;
  readonly embedding: number;
  readonly steps: number;
  readonly batch: number;
  readonly epochs: number;
  /** Epochs without a better validation loss that end the run; 0 for none that do. */
  readonly patience: number;
  readonly lr: number;
  readonly clip: number;
  readonly seed: number;
}

/** What a setting that counts something may be, given as an option or read from a file. */
export const MAXIMA = {
  hidden: 8192,
  layers: 16,
  embedding: 4096,
  steps: 4096,
  batch: 4096,
  epochs: 100_000,
  patience: 100_000,
} as const;

/** Most bytes of tensors as f32: those of the largest run, whose engine holds 1 GiB. */
const MAX_TENSOR_BYTES = 2 ** 32;

export const MAX_LR = 10;
export const MAX_CLIP = 1e9;

/** A run that was saved, all but the trainer. */
export interface SavedRun {
  readonly settings: Settings;
  /**
   * Names of the files it learns from, to be shown and never opened; none for the project's own.
   */
  readonly files: readonly string[];
  readonly fingerprint: string;
  readonly simd: string;
  readonly vocabulary: string;
  /** Loss of every update so far, in nats. Their number is the place in the text. */
  readonly losses: readonly number[];
}

const RUN = 'run';
const VOCABULARY = 'vocabulary';
const LOSSES = 'losses';

export function describeModel(settings: Settings, characters: number): ModelDescription {
  const { hidden, layers, embedding } = settings;
  const stack: LayerSpec = { ...CELLS[settings.cell], hiddenSize: hidden, numLayers: layers };
  return {
    layers: [
      { type: 'embedding', numEmbeddings: characters, embeddingDim: embedding },
      stack,
      { type: 'linear', outFeatures: characters },
    ],
  };
}

/** The trainer and all that a run needs to go on as if it had never stopped. */
export function saveRun(trainer: Trainer, snapshot: Snapshot, run: SavedRun): Uint8Array {
  const { losses, vocabulary, ...rest } = run;
  return saveTrainer(trainer, {
    snapshot,
    tensors: new Map([[LOSSES, { shape: [losses.length], data: Float32Array.from(losses) }]]),
    metadata: { [RUN]: JSON.stringify(rest), [VOCABULARY]: vocabulary },
  });
}

function foreign(path: string): never {
  const message = `${path} is not a file that gatefold train saved: name another, or train one`;
  throw new GatefoldError('ERR_FORMAT', message);
}

/** Says of a model that it computes no numbers any more. */
export function failed(path: string, what: string): never {
  fail(`${path} comes from a run that failed, ${what}: train another with a smaller --lr`);
}

/** The first tensor that holds NaN or an infinity. */
export function notFinite(tensors: ReadonlyMap<string, Tensor>): string | undefined {
  for (const [name, { data }] of tensors) {
    // The difference of a number with itself is 0, that of anything else is none.
    for (let i = 0; i < data.length; i++) if (data[i]! - data[i]! !== 0) return name;
  }
  return undefined;
}

/** Reads and checks what is in a file that `gatefold train` saved, or another program. */
export function openModelFile(path: string, bytes: Uint8Array): SafetensorsFile {
  // The limit is for hosts: the user has named the file, and its bytes are in memory.
  const file = naming(path, () => readSafetensors(bytes, { maxBytes: MAX_TENSOR_BYTES }));
  const bad = notFinite(file.tensors);
  if (bad !== undefined) failed(path, `"${shorten(bad)}" holds NaN or infinity`);
  return file;
}

function vocabularyOf(path: string, file: SafetensorsFile): Vocabulary {
  const text = file.metadata[VOCABULARY];
  if (text === undefined) return foreign(path);
  try {
    return new Vocabulary(text);
  } catch {
    return foreign(path);
  }
}

function isSettings(value: Partial<Settings> | undefined): value is Settings {
  if (typeof value !== 'object' || value === null) return false;
  const isCount = ([name, highest]: [string, number]): boolean => {
    const count = value[name as keyof typeof MAXIMA];
    const lowest = name === 'patience' ? 0 : 1;
    return Number.isSafeInteger(count) && count! >= lowest && count! <= highest;
  };
  return (
    typeof value.cell === 'string' &&
    Object.hasOwn(CELLS, value.cell) &&
    Object.entries(MAXIMA).every(isCount) &&
    Number.isSafeInteger(value.seed) &&
    value.seed! >= 0 &&
    value.seed! <= MAX_SEED &&
    Number.isFinite(value.lr) &&
    value.lr! > 0 &&
    value.lr! <= MAX_LR &&
    Number.isFinite(value.clip) &&
    value.clip! >= 0 &&
    value.clip! <= MAX_CLIP
  );
}

/** What a file says of the run that wrote it. */
export function readRun(path: string, file: SafetensorsFile): SavedRun {
  let run: Partial<SavedRun> | null;
  try {
    run = JSON.parse(file.metadata[RUN] ?? 'null') as Partial<SavedRun> | null;
  } catch {
    return foreign(path);
  }
  const losses = file.tensors.get(`extra.${LOSSES}`);
  if (typeof run !== 'object' || run === null || losses === undefined) return foreign(path);
  const { settings, files, fingerprint, simd } = run;
  const areNames = Array.isArray(files) && files.every((name) => typeof name === 'string');
  const isVariant = simd === 'relaxed' || simd === 'baseline';
  const areLosses = losses.shape.length === 1 && losses.data.every(Number.isFinite);
  const isSound = areNames && areLosses && typeof fingerprint === 'string' && isVariant;
  if (!isSound || !isSettings(settings)) return foreign(path);
  const vocabulary = vocabularyOf(path, file).toString();
  return { settings, files, fingerprint, simd, vocabulary, losses: [...losses.data] };
}

/** Refuses to read the files that a saved run names: what is read, the user says. */
export function checkOwnText({ files }: SavedRun, path: string, command: string): void {
  if (files.length === 0) return;
  fail(
    `only you choose what is read: name the text of ${path} again, ${command} ${someWords(files)}`,
  );
}

/** Where the saved run of such a trainer stopped. */
export function snapshotOf(
  trainer: Trainer,
  path: string,
  file: SafetensorsFile,
  { losses }: SavedRun,
): Snapshot {
  const { snapshot } = naming(path, () => readTrainer(trainer, file));
  const { updates, fit } = snapshot.metadata;
  const isWhole = updates === String(losses.length) && fit?.startsWith(`${updates},`);
  return isWhole ? snapshot : foreign(path);
}

/** The model of a saved run, and its characters. */
export function openModel(
  engine: Engine,
  path: string,
  file: SafetensorsFile,
): { model: Model; vocabulary: Vocabulary } {
  const vocabulary = vocabularyOf(path, file);
  const model = naming(path, () => loadModel(engine, file));
  const { size } = vocabulary;
  const takesText = storeOf(model).graph.inputs[0]!.tokens === size;
  if (!takesText || model.outputSize !== size) return foreign(path);
  return { model, vocabulary };
}
