/** Rounds of training as jobs. A round is a checkpoint; the parent of a round adds the next. */

import type { FlowProducer } from 'bullmq';
import { saveModel } from 'gatefold/formats/safetensors';
import { Engine, Model } from 'gatefold/node';
import { checkHash, hashOfData } from './blobs.ts';
import type { Context } from './context.ts';
import { refuse } from './errors.ts';
import { flowOf } from './flow.ts';
import type { FlowOptions } from './flow.ts';
import type { TrainEnd, TrainShard, TrainedShard } from './jobs.ts';
import { outerStep, parametersOf, readConfig, readParameters } from './rounds.ts';
import type { TrainConfig } from './rounds.ts';
import type { TrainThreads } from './threads.ts';

/** All that the next round begins with. */
export interface Checkpoint {
  readonly run: string;
  readonly config: string;
  /** Rounds that are done. */
  readonly round: number;
  readonly parameters: string;
  readonly velocity?: string;
  /** States of the inner optimizers by shard; none before the first round. */
  readonly states: readonly string[];
  /** Mean loss of each shard in the last round. */
  readonly losses: readonly number[];
  /** Bytes of all shards' parameters, and of their states, that the last round wrote. */
  readonly bytes: readonly [number, number];
}

/** Rounds whose blobs stay: of this one and the one before. */
const KEPT = 2;

export const checkpointAt = (output: string, round: number): string =>
  `${output}/checkpoint-${String(round).padStart(5, '0')}.json`;

export const modelAt = (output: string): string => `${output}/model.safetensors`;

/** The jobs of the round after a checkpoint. */
export function roundOf(
  { run, config, round, parameters, velocity, states }: Checkpoint,
  shards: number,
  output: string,
): { readonly end: TrainEnd; readonly children: readonly TrainShard[] } {
  return {
    end: {
      kind: 'train-end',
      run,
      config,
      round,
      parameters,
      ...(velocity !== undefined && { velocity }),
      output,
    },
    children: Array.from({ length: shards }, (_, shard) => ({
      kind: 'train',
      run,
      config,
      round,
      shard,
      parameters,
      ...(states.length > 0 && { state: states[shard]! }),
    })),
  };
}

export async function addRound(
  flows: FlowProducer,
  checkpoint: Checkpoint,
  shards: number,
  output: string,
  options: FlowOptions,
): Promise<void> {
  const { end, children } = roundOf(checkpoint, shards, output);
  await flows.add(flowOf(end, children, options, { failParentOnFailure: true }));
}

/** Begins a run: its configuration and first parameters as blobs. The same run is the same name. */
export async function beginTraining(
  context: Context,
  config: TrainConfig,
  output: string,
  first: Uint8Array,
): Promise<Checkpoint> {
  const hash = await context.blobs.put(Buffer.from(JSON.stringify(config)));
  const run = hashOfData([hash, output]).slice(0, 16);
  const parameters = await context.blobs.put(first, run);
  return { run, config: hash, round: 0, parameters, states: [], losses: [], bytes: [0, 0] };
}

export async function readCheckpoint(
  { stores }: Context,
  output: string,
  round: number,
): Promise<Checkpoint | undefined> {
  const at = checkpointAt(output, round);
  if ((await stores.size(at)) === undefined) return undefined;
  return JSON.parse(Buffer.from(await stores.read(at)).toString()) as Checkpoint;
}

/** Trains a shard for a round. */
export async function runTrainShard(
  { run, config, round, shard, parameters, state }: TrainShard,
  { blobs, settings: { maxEngineBytes } }: Context,
  threads: TrainThreads,
): Promise<TrainedShard> {
  const own = await blobs.get(config);
  const { data } = readConfig(own);
  if (shard >= data.length) refuse(`run ${run} has ${data.length} shards, and no shard ${shard}`);
  const answer = await threads.run({
    config: own,
    tokens: await blobs.get(checkHash('data', data[shard])),
    round,
    shard,
    parameters: await blobs.get(parameters, run),
    ...(state !== undefined && { state: await blobs.get(state, run) }),
    ...(maxEngineBytes !== undefined && { maxEngineBytes }),
  });
  return {
    shard,
    loss: answer.loss,
    parameters: await blobs.put(answer.parameters, run),
    state: await blobs.put(answer.state, run),
    bytes: [answer.parameters.length, answer.state.length],
  };
}

/** The outer step of a round: its checkpoint, and the next round or the model. */
export async function finishRound(
  { run, config, round, parameters, velocity, output }: TrainEnd,
  done: readonly TrainedShard[],
  context: Context,
  next: (checkpoint: Checkpoint, shards: number) => Promise<void>,
): Promise<Checkpoint> {
  const { blobs, stores } = context;
  const own = readConfig(await blobs.get(config));
  const isLast = round + 1 === own.rounds;
  const written = await readCheckpoint(context, output, round + 1);
  if (written?.run === run && (await isWhole(written, context))) {
    // The worker died after it had written this, and before it said so.
    if (!isLast) await next(written, own.data.length);
    return written;
  }
  const shards = done.toSorted((a, b) => a.shard - b.shard);
  if (shards.length !== own.data.length || shards.some(({ shard }, k) => shard !== k)) {
    refuse(`round ${round} has ${own.data.length} shards, and results of ${shards.length}`);
  }
  const before = {
    parameters: readParameters(await blobs.get(parameters, run)),
    velocity: velocity === undefined ? undefined : readParameters(await blobs.get(velocity, run)),
  };
  const moved = shards.map(
    (shard) => async () => readParameters(await blobs.get(shard.parameters, run)),
  );
  const after = await outerStep(before, moved, own.outer);
  const checkpoint: Checkpoint = {
    run,
    config,
    round: round + 1,
    parameters: await blobs.put(parametersOf(after.parameters), run),
    velocity: await blobs.put(parametersOf(after.velocity), run),
    states: shards.map(({ state }) => state),
    losses: shards.map(({ loss }) => loss),
    bytes: [0, 1].map((k) => shards.reduce((sum, { bytes }) => sum + bytes[k]!, 0)) as [
      number,
      number,
    ],
  };
  if (isLast) await stores.write(modelAt(output), await modelOf(own, after.parameters));
  const text = `${JSON.stringify(checkpoint, null, 1)}\n`;
  await stores.write(checkpointAt(output, round + 1), Buffer.from(text));
  if (!isLast) await next(checkpoint, own.data.length);
  await forget(context, output, checkpoint, shards);
  return checkpoint;
}

/** The blobs that a checkpoint names. */
const blobsOf = ({ parameters, velocity, states }: Checkpoint): string[] =>
  [parameters, velocity, ...states].filter((hash) => hash !== undefined);

/**
 * Whether the blobs of a checkpoint are there. A Redis that was killed may have lost the last ones
 * that it took, and with them that the round was over; the checkpoint may be in another store.
 */
export async function isWhole(checkpoint: Checkpoint, { blobs }: Context): Promise<boolean> {
  const { run } = checkpoint;
  const all = blobsOf(checkpoint).map((hash) => blobs.has(checkHash('hash', hash), run));
  return (await Promise.all(all)).every(Boolean);
}

async function modelOf(
  { model: description, simd, vocabulary }: TrainConfig,
  parameters: Awaited<ReturnType<typeof outerStep>>['parameters'],
): Promise<Uint8Array> {
  const engine = await Engine.create({ simd });
  try {
    const model = Model.create(engine, description, { init: 'zeros' });
    model.loadStateDict(parameters);
    return saveModel(model, { vocabulary });
  } finally {
    engine.dispose();
  }
}

/** Removes the blobs that no round needs any more, even one that is run again. */
async function forget(
  context: Context,
  output: string,
  last: Checkpoint,
  shards: readonly TrainedShard[],
): Promise<void> {
  const old = await readCheckpoint(context, output, last.round - KEPT);
  const kept = await readCheckpoint(context, output, last.round - 1);
  const needed = new Set([...blobsOf(last), ...(kept ? blobsOf(kept) : [])]);
  const unneeded = [...(old ? blobsOf(old) : []), ...shards.map(({ parameters }) => parameters)];
  for (const hash of unneeded) {
    if (!needed.has(hash)) await context.blobs.remove(checkHash('hash', hash), last.run);
  }
}
