/** H updates of one shard, in a thread of their own: the thread that keeps the locks stays free. */

import { parentPort } from 'node:worker_threads';
import { Engine, GatefoldError, Model, TextBatches, Trainer } from 'gatefold/node';
import { parametersOf, readConfig, readParameters, snapshotOf, stateOf } from './rounds.ts';
import type { TrainConfig } from './rounds.ts';

export interface TrainTask {
  readonly config: Uint8Array;
  readonly tokens: Uint8Array;
  readonly round: number;
  readonly shard: number;
  readonly parameters: Uint8Array;
  readonly state?: Uint8Array;
  readonly maxEngineBytes?: number;
}

export interface TrainAnswer {
  readonly loss: number;
  readonly parameters: Uint8Array;
  readonly state: Uint8Array;
}

/** Seeds of the masks of two shards are this far apart. */
const SEED_STEP = 7919;

/** The engine of this thread: one for each task would take memory faster than it is collected. */
let kept: { readonly engine: Engine; readonly key: string } | undefined;

async function engineFor({ simd }: TrainConfig, maxBytes: number | undefined): Promise<Engine> {
  const key = `${simd} ${maxBytes}`;
  if (kept?.key === key) return kept.engine;
  kept?.engine.dispose();
  const engine = await Engine.create({ simd, ...(maxBytes !== undefined && { maxBytes }) });
  kept = { engine, key };
  return engine;
}

/** Trains a shard for a round: a function of its task, whoever runs it. */
export async function trainShard(task: TrainTask): Promise<TrainAnswer> {
  const config = readConfig(task.config);
  const { model: description, updates, trainer: options, seed } = config;
  const engine = await engineFor(config, task.maxEngineBytes);
  const model = Model.create(engine, description, { init: 'zeros' });
  let trainer: Trainer | undefined;
  try {
    trainer = Trainer.create(model, {
      ...options,
      loss: { type: 'cross-entropy' },
      seed: (seed + SEED_STEP * task.shard) % 2 ** 31,
    });
    const parameters = readParameters(task.parameters);
    if (task.state) trainer.restore(snapshotOf(task.state, parameters));
    else model.loadStateDict(parameters);
    const { buffer, byteOffset, byteLength } = task.tokens.slice();
    const tokens = new Int32Array(buffer, byteOffset, byteLength / 4);
    const { batch, steps } = options;
    const windows = new TextBatches(tokens, { batch, steps });
    let loss = 0;
    for (let update = 0; update < updates; update++) {
      const at = (task.round * updates + update) % windows.length;
      if (at === 0) trainer.resetState();
      const { inputs, targets, steps: own } = windows.window(at);
      loss += trainer.trainOn(inputs, targets, { steps: own }).loss;
    }
    const { tensors, metadata } = trainer.snapshot();
    return {
      loss: loss / updates,
      parameters: parametersOf(model.stateDict()),
      state: stateOf(tensors, metadata),
    };
  } finally {
    trainer?.dispose();
    model.dispose();
  }
}

/** An answer, or why there is none; a fault of the task stays one when it is tried again. */
export interface TrainReply {
  readonly answer?: TrainAnswer;
  readonly error?: string;
  readonly isFinal?: boolean;
}

parentPort?.on('message', (task: TrainTask) => {
  trainShard(task).then(
    (answer) => {
      const transfer = [answer.parameters, answer.state].map(({ buffer }) => buffer as ArrayBuffer);
      parentPort!.postMessage({ answer } satisfies TrainReply, [...new Set(transfer)]);
    },
    (error: Error) => {
      const isFinal = error instanceof GatefoldError || error.name === 'ClusterError';
      parentPort!.postMessage({ error: error.message, isFinal } satisfies TrainReply);
    },
  );
});
