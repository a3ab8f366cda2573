import { Engine, wasmBytes } from '../hosts/default.ts';
import { allowRelaxed, enableFastLane } from '../node/fast-lane.ts';
import { TeamEngine } from '../threads/engine.ts';
import { countCores } from '../threads/team.ts';
import { WORKERS } from '../threads/workers.ts';

/** Memory for the largest models that a command may hold. */
export const MAX_BYTES: number = 2 ** 30;
/** Multiply-adds of an update from which on threads pay for being started. */
const LEAST_SHARED = 1e7;
export const MAX_THREADS = 8;

type Simd = 'auto' | 'deterministic';

export function createEngine(simd: Simd): Promise<Engine> {
  if (simd === 'auto') allowRelaxed();
  return Engine.create({ simd, maxBytes: MAX_BYTES });
}

/**
 * The quickest engine for a training: the fast lane where there is one, and threads where an update
 * of so many multiply-adds is worth them.
 */
export async function createTrainingEngine(simd: Simd, work: number): Promise<Engine> {
  if (simd === 'auto') allowRelaxed();
  const { enabled: wide } = enableFastLane();
  const threads = work < LEAST_SHARED ? 1 : Math.min(await countCores(), MAX_THREADS);
  if (threads === 1) return Engine.create({ simd, maxBytes: MAX_BYTES, wide });
  const module = wasmBytes({ simd });
  return TeamEngine.start({ module, maxBytes: MAX_BYTES, wide }, threads, WORKERS);
}
