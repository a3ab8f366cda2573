import { Worker } from 'node:worker_threads';
import { wasmBytes } from '../../src/index.ts';
import { ThreadedEngine } from '../../src/threads/engine.ts';
import type { Variant } from './engines.ts';

/** The worker as the package has it: Node cannot run its source. */
export const createWorker = (): Worker =>
  new Worker(new URL('../../dist/threads/worker.js', import.meta.url));

/** An engine that shares out every call, however small, to exactly so many threads. */
export async function startThreads(variant: Variant, threads: number): Promise<ThreadedEngine> {
  const module = wasmBytes({ simd: variant === 'baseline' ? 'deterministic' : 'auto' });
  const engine = await ThreadedEngine.start({ module }, threads, createWorker, { least: 0 });
  if (engine.threads !== threads || engine.simd !== variant)
    throw new Error(`got ${engine.threads} threads of ${engine.simd} SIMD`);
  return engine;
}
