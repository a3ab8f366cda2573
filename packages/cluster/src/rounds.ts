/**
 * Training in rounds, as DiLoCo (Douillard et al. 2023): every shard trains H updates from the same
 * parameters, and the outer step goes along the mean of their moves, with Nesterov momentum.
 *
 *     d = mean over shards, in their order, of (theta_shard - theta)
 *     v = momentum v + d
 *     theta = theta + learningRate (d + momentum v), without Nesterov learningRate v
 *
 * With H = 1, plain SGD inside, learningRate 1 and momentum 0 it is synchronous SGD.
 */

import { Model } from 'gatefold/node';
import type { Engine, ModelDescription, StateDict, TrainerOptions } from 'gatefold/node';
import { readSafetensors, writeSafetensors } from 'gatefold/formats/safetensors';
import { refuse, show } from './errors.ts';
import type { Simd } from './jobs.ts';

/** All that the result of a run depends on. Every shard and round reads it by its hash. */
export interface TrainConfig {
  readonly model: ModelDescription;
  /** The characters of the text, which the model keeps. */
  readonly vocabulary: string;
  /** Blobs of the tokens of every shard. */
  readonly data: readonly string[];
  readonly rounds: number;
  /** H: updates of a shard in a round. */
  readonly updates: number;
  readonly trainer: Pick<
    TrainerOptions,
    'batch' | 'optimizer' | 'gradClip' | 'bptt' | 'onNonFinite'
  > & { readonly steps: number };
  readonly outer: OuterOptions;
  readonly seed: number;
  readonly simd: Simd;
}

export interface OuterOptions {
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
}

/** The outer step of DiLoCo. */
export const DILOCO: OuterOptions = { learningRate: 0.7, momentum: 0.9, nesterov: true };

export const MAX_TRAIN_SHARDS = 4096;
const MAX_ROUNDS = 100_000;
const MAX_UPDATES = 1_000_000;
/** Bytes of a configuration, of which the vocabulary is the largest part. */
const MAX_CONFIG = 2 ** 24;

/** Prefix of the parameters in the snapshot of a trainer. */
const PARAMETERS = 'model.';

/** The configuration of a blob, which may be foreign; the model and trainer check their own. */
export function readConfig(bytes: Uint8Array): TrainConfig {
  if (bytes.length > MAX_CONFIG) refuse(`a configuration has ${bytes.length} bytes`);
  const config = JSON.parse(Buffer.from(bytes).toString()) as TrainConfig;
  const whole = (name: string, value: unknown, high: number): void => {
    if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= high) return;
    refuse(`"${name}" expected a whole number from 1 to ${high}, got ${show(value)}`);
  };
  whole('rounds', config.rounds, MAX_ROUNDS);
  whole('updates', config.updates, MAX_UPDATES);
  whole('trainer.steps', config.trainer?.steps, 2 ** 20);
  if (!Array.isArray(config.data)) refuse('"data" expected a list');
  whole('data.length', config.data.length, MAX_TRAIN_SHARDS);
  for (const key of ['learningRate', 'momentum'] as const) {
    const value: unknown = config.outer?.[key];
    if (typeof value !== 'number' || !(value >= 0 && value <= 1e6)) {
      refuse(`"outer.${key}" expected a number of at least 0, got ${show(value)}`);
    }
  }
  return config;
}

/** Parameters as the bytes of a blob. */
export function parametersOf(tensors: StateDict): Uint8Array {
  return writeSafetensors(tensors);
}

export function readParameters(bytes: Uint8Array): StateDict {
  return readSafetensors(bytes).tensors;
}

/** A snapshot without its parameters, as the bytes of a blob. */
export function stateOf(
  tensors: StateDict,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const own = new Map([...tensors].filter(([name]) => !name.startsWith(PARAMETERS)));
  return writeSafetensors(own, metadata);
}

/** A whole snapshot of a shard's state, and the parameters of a round. */
export function snapshotOf(
  state: Uint8Array,
  parameters: StateDict,
): { tensors: StateDict; metadata: Record<string, string> } {
  const { tensors: own, metadata } = readSafetensors(state);
  const tensors: StateDict = new Map(own);
  for (const [name, tensor] of parameters) tensors.set(PARAMETERS + name, tensor);
  return { tensors, metadata: { ...metadata } };
}

/** The parameters of before the first round. */
export function firstParameters(engine: Engine, { model, seed }: TrainConfig): Uint8Array {
  const own = Model.create(engine, model, { seed });
  const bytes = parametersOf(own.stateDict());
  own.dispose();
  return bytes;
}

/** Parameters and momentum after the outer step. */
export interface OuterState {
  readonly parameters: StateDict;
  readonly velocity: StateDict;
}

/**
 * The outer step. Sums are of float64, in the order of the shards, so that their bits depend on
 * nothing else.
 *
 * @param moved parameters of each shard after its updates, read when it is their turn.
 */
export async function outerStep(
  { parameters, velocity }: { parameters: StateDict; velocity: StateDict | undefined },
  moved: readonly (() => Promise<StateDict>)[],
  { learningRate, momentum, nesterov }: OuterOptions,
): Promise<OuterState> {
  const sums = new Map(
    [...parameters].map(([name, { data }]) => [name, new Float64Array(data.length)]),
  );
  for (const read of moved) {
    const own = await read();
    for (const [name, { data }] of parameters) {
      const [sum, after] = [sums.get(name)!, own.get(name)?.data];
      if (after?.length !== data.length) return refuse(`a shard has no parameters ${name}`);
      for (let i = 0; i < data.length; i++) sum[i]! += after[i]! - data[i]!;
    }
  }
  const next: OuterState = { parameters: new Map(), velocity: new Map() };
  for (const [name, { shape, data }] of parameters) {
    const sum = sums.get(name)!;
    const before = velocity?.get(name)?.data;
    const v = new Float32Array(data.length);
    const theta = new Float32Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const d = sum[i]! / moved.length;
      const own = momentum * (before?.[i] ?? 0) + d;
      theta[i] = data[i]! + learningRate * (nesterov ? d + momentum * own : own);
      v[i] = own;
    }
    if (!theta.every(Number.isFinite)) refuse(`${name} is not finite after the outer step`);
    next.parameters.set(name, { shape, data: theta });
    next.velocity.set(name, { shape, data: v });
  }
  return next;
}
