/**
 * The default entry and files, for Node, Deno and Bun: written beside, flushed and renamed, so that
 * a file is always whole, the old one or the new one.
 */

import type { Engine } from '../engine/engine.ts';
import { allowRelaxed } from './fast-lane.ts';
import { naming, readWhole, writeWhole } from './files.ts';
import { loadModel, loadTrainer, saveModel, saveTrainer } from '../formats/gatefold.ts';
import type { Extras, TrainerExtras } from '../formats/gatefold.ts';
import type { Model } from '../model/model.ts';
import type { Trainer } from '../training/trainer.ts';

allowRelaxed();

export { enableFastLane } from './fast-lane.ts';
export type { FastLane } from './fast-lane.ts';
export { checkpointFile, writeWhole } from './files.ts';
export type { CheckpointFile } from './files.ts';
export * from '../hosts/default.ts';

/** A model and what its user keeps beside it as a safetensors file. */
export async function saveModelFile(
  path: string,
  model: Model,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  await writeWhole(path, saveModel(model, metadata));
}

/** The model of a file that `saveModelFile` or `saveTrainerFile` wrote. */
export async function loadModelFile(engine: Engine, path: string): Promise<Model> {
  const bytes = await readWhole(path);
  return naming(path, () => loadModel(engine, bytes));
}

/** Everything of a trainer, its model too. */
export async function saveTrainerFile(
  path: string,
  trainer: Trainer,
  extras?: TrainerExtras,
): Promise<void> {
  await writeWhole(path, saveTrainer(trainer, extras));
}

/** Puts a trainer, created like the saved one, into the saved state. */
export async function loadTrainerFile(path: string, trainer: Trainer): Promise<Required<Extras>> {
  const bytes = await readWhole(path);
  return naming(path, () => loadTrainer(trainer, bytes));
}
