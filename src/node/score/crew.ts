/** One copy of a model's weights, and workers that run it with an engine each. */

import { GatefoldError } from '../../base/errors.ts';
import { loadModel, saveModel } from '../../formats/gatefold.ts';
import { wasmBytes } from '../../hosts/default.ts';
import type { Model } from '../../model/model.ts';
import { TeamEngine } from '../../threads/engine.ts';
import { releaseModel, shareModel } from '../../threads/share.ts';
import { allowRelaxed, enableFastLane } from '../fast-lane.ts';
import { WorkerPool } from './pool.ts';
import type { PoolWorker } from './pool.ts';

/** Most memory of the engine that all workers have a part of; what is not used is not taken. */
const MAX_BYTES = 2 ** 32 - 65_536;

export interface CrewOptions {
  readonly simd: 'auto' | 'deterministic';
  /** Whether V8 is given its flags, for the whole process. */
  readonly fastLane: boolean;
}

/** A model in memory that workers can share. */
export async function sharedModel(
  load: (engine: TeamEngine) => Model,
  { simd, fastLane }: CrewOptions,
): Promise<Model> {
  if (simd === 'auto') allowRelaxed();
  const wide = fastLane && enableFastLane().enabled;
  const module = wasmBytes({ simd });
  const create = (): never => {
    throw new GatefoldError('ERR_STATE', 'an engine of one thread has no workers');
  };
  const none = [{ from: 'nothing', create }];
  const engine = await TeamEngine.start({ module, maxBytes: MAX_BYTES, wide }, 1, none);
  try {
    return load(engine);
  } catch (error) {
    engine.dispose();
    throw error;
  }
}

/** The same of a model in another engine, or of the bytes of one. */
export function copyShared(source: Model | Uint8Array, options: CrewOptions): Promise<Model> {
  const bytes = source instanceof Uint8Array ? source : saveModel(source);
  return sharedModel((engine) => loadModel(engine, bytes), options);
}

/** Workers over one shared model. */
export function hire<Answer>(
  model: Model,
  count: number,
  bytes: number,
  start: () => PoolWorker,
  more: object = {},
): WorkerPool<Answer> {
  return new WorkerPool(count, () => {
    const shared = shareModel(model, { maxBytes: bytes });
    const release = (): void => releaseModel(shared);
    return { worker: start(), task: { shared, ...more }, release };
  });
}
