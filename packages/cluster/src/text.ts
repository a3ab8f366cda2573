/** A text as the data of a training run. */

import { Engine, Vocabulary } from 'gatefold/node';
import type { Context } from './context.ts';
import { refuse } from './errors.ts';
import { DILOCO, firstParameters, readConfig } from './rounds.ts';
import type { OuterOptions, TrainConfig } from './rounds.ts';

/** What a user says of a run: `gatefold-cluster train` reads it from a file. */
export interface TrainingText {
  /** Default an LSTM of `hiddenSize`, 128, over the characters. */
  readonly model?: TrainConfig['model'];
  readonly hiddenSize?: number;
  readonly shards: number;
  readonly rounds: number;
  readonly updates: number;
  readonly batch: number;
  readonly steps: number;
  readonly optimizer?: TrainConfig['trainer']['optimizer'];
  readonly gradClip?: TrainConfig['trainer']['gradClip'];
  readonly outer?: Partial<OuterOptions>;
  readonly seed?: number;
  readonly simd?: TrainConfig['simd'];
}

const KEYS: ReadonlySet<string> = new Set([
  'hiddenSize',
  'model',
  'shards',
  'rounds',
  'updates',
  'batch',
  'steps',
  'optimizer',
  'gradClip',
  'outer',
  'seed',
  'simd',
]);

/** An LSTM over the characters of a vocabulary. */
function modelOf(hiddenSize: number, vocabularySize: number): TrainConfig['model'] {
  return {
    layers: [
      { type: 'embedding', numEmbeddings: vocabularySize, embeddingDim: hiddenSize },
      { type: 'lstm', inputSize: hiddenSize, hiddenSize },
      { type: 'linear', outFeatures: vocabularySize },
    ],
  } as TrainConfig['model'];
}

/** Cuts a text into the shards of a run, puts them into the blobs, and makes the first parameters. */
export async function prepareTraining(
  { blobs }: Context,
  given: TrainingText,
  text: string,
): Promise<{ config: TrainConfig; first: Uint8Array }> {
  for (const key of Object.keys(given)) if (!KEYS.has(key)) refuse(`a run has no option "${key}"`);
  const { hiddenSize = 128, shards, rounds, updates, batch, steps, seed = 0 } = given;
  const vocabulary = Vocabulary.of(text);
  const tokens = vocabulary.encode(text);
  if (!(Number.isSafeInteger(shards) && shards >= 1 && shards <= tokens.length)) {
    refuse(`"shards" expected a whole number from 1, got ${shards}`);
  }
  const length = Math.floor(tokens.length / shards);
  const data: string[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const own = tokens.slice(shard * length, (shard + 1) * length);
    data.push(await blobs.put(new Uint8Array(own.buffer)));
  }
  const { optimizer, gradClip } = given;
  const config: TrainConfig = {
    model: given.model ?? modelOf(hiddenSize, vocabulary.size),
    vocabulary: vocabulary.toString(),
    data,
    rounds,
    updates,
    trainer: { batch, steps, ...(optimizer && { optimizer }), ...(gradClip && { gradClip }) },
    outer: { ...DILOCO, ...given.outer },
    seed,
    simd: given.simd ?? 'deterministic',
  };
  readConfig(Buffer.from(JSON.stringify(config)));
  const engine = await Engine.create({ simd: config.simd });
  try {
    return { config, first: firstParameters(engine, config) };
  } finally {
    engine.dispose();
  }
}
