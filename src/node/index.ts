/**
 * The default entry and files, for Node, Deno and Bun: written beside, flushed and renamed, so that
 * a file is always whole, the old one or the new one.
 */

import { Worker } from 'node:worker_threads';
import type { Inputs } from '../base/tensor.ts';
import type { Engine } from '../engine/engine.ts';
import { allowRelaxed } from './fast-lane.ts';
import { naming, readWhole, writeWhole } from './files.ts';
import { loadModel, loadTrainer, saveModel, saveTrainer } from '../formats/gatefold.ts';
import type { Extras, TrainerExtras } from '../formats/gatefold.ts';
import type { Model } from '../model/model.ts';
import { scoreSequences as score } from './score/score.ts';
import type { ScoreOptions, ScoreResult } from './score/score.ts';
import type { Trainer } from '../training/trainer.ts';

allowRelaxed();

export { enableFastLane } from './fast-lane.ts';
export type { FastLane } from './fast-lane.ts';
export { checkpointFile, writeWhole } from './files.ts';
export type { CheckpointFile } from './files.ts';
export type {
  BadRecord,
  ScoreOptions,
  ScoreProgress,
  ScoreResult,
  ScoreSignal,
} from './score/score.ts';
export type { PoolWorker } from './score/pool.ts';
export { SessionPool } from '../model/session-pool.ts';
export type { Session, SessionPoolOptions } from '../model/session-pool.ts';
export * from '../hosts/default.ts';

/**
 * Runs a model over records from any iterable. Batches are made of records of similar length, which
 * several threads run; they share one copy of the weights. A thread that dies is replaced, and its
 * batch is run again. Records are read as fast as results are taken.
 *
 * @example
 *   for await (const { index, output } of scoreSequences(sequences, { model })) {
 *     console.log(index, argmax(output));
 *   }
 */
export function scoreSequences<R = Inputs>(
  records: Iterable<R> | AsyncIterable<R>,
  options: ScoreOptions<R>,
): AsyncGenerator<ScoreResult<R>, void, undefined> {
  return score(records, options, createWorker);
}

/** Beside the bundle. Options of the process (a loader, a program as text) are nothing to it. */
function createWorker(): Worker {
  return new Worker(new URL('./node/score-worker.js', import.meta.url), { execArgv: [] });
}

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
