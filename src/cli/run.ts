import { GatefoldError } from '../errors.ts';
import { loadTrainer, saveTrainer } from '../formats/models.ts';
import { readSafetensors } from '../formats/safetensors-read.ts';
import type { SafetensorsFile } from '../formats/safetensors-read.ts';
import type { Trainer } from '../train.ts';
import type { LayerSpec, ModelDescription } from '../types.ts';
import { Vocabulary } from '../data.ts';

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

/** What makes a run: the same settings on the same text give the same model, on the deterministic variant to the last bit. */
export interface Settings {
  readonly cell: CellName;
  readonly hidden: number;
  readonly layers: number;
  readonly embedding: number;
  readonly steps: number;
  readonly batch: number;
  readonly epochs: number;
  readonly lr: number;
  readonly clip: number;
  readonly seed: number;
}

/** A run that was saved, all but the trainer. */
export interface SavedRun {
  readonly settings: Settings;
  /** The files it learns from, as they were named; none for the project's own. */
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
export function saveRun(trainer: Trainer, run: SavedRun): Uint8Array {
  const { losses, vocabulary, ...rest } = run;
  return saveTrainer(trainer, {
    tensors: new Map([[LOSSES, { shape: [losses.length], data: Float32Array.from(losses) }]]),
    metadata: { [RUN]: JSON.stringify(rest), [VOCABULARY]: vocabulary },
  });
}

function foreign(path: string): never {
  const message = `${path} is not a file that gatefold train saved: name another, or train one`;
  throw new GatefoldError('ERR_FORMAT', message);
}

/** Opens a file of `gatefold train`; the message of a refusal names it. */
export function openModelFile(path: string, bytes: Uint8Array): SafetensorsFile {
  try {
    return readSafetensors(bytes);
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    throw new GatefoldError(error.code, `${path} is ${error.message}`);
  }
}

export function vocabularyOf(path: string, file: SafetensorsFile): Vocabulary {
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
  const { hidden, layers, embedding, steps, batch, epochs, seed, lr, clip } = value;
  const counts = [hidden, layers, embedding, steps, batch, epochs];
  return (
    typeof value.cell === 'string' &&
    Object.hasOwn(CELLS, value.cell) &&
    counts.every((count) => Number.isSafeInteger(count) && count! > 0) &&
    Number.isSafeInteger(seed) &&
    Number.isFinite(lr) &&
    Number.isFinite(clip)
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
  const isSound = areNames && typeof fingerprint === 'string' && typeof simd === 'string';
  if (!isSound || !isSettings(settings)) return foreign(path);
  const vocabulary = vocabularyOf(path, file).toString();
  return { settings, files, fingerprint, simd, vocabulary, losses: [...losses.data] };
}

/** Puts the trainer where the saved run stopped. */
export function restoreRun(trainer: Trainer, path: string, file: SafetensorsFile): void {
  try {
    loadTrainer(trainer, file);
  } catch (error) {
    if (!(error instanceof GatefoldError)) throw error;
    throw new GatefoldError(error.code, `cannot resume ${path}: ${error.message}`);
  }
}
