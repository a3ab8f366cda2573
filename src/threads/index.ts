/** `gatefold/threads`: an engine whose kernels run on several threads, over one shared memory. */

import { checkInteger, checkKeys } from '../base/check.ts';
import { DEFAULT_MAX_BYTES } from '../engine/engine.ts';
import { wasmBytes } from '../hosts/default.ts';
import type { EngineOptions } from '../hosts/default.ts';
import { MAX_THREADS } from './control.ts';
import { TeamEngine } from './engine.ts';
import { coresOf } from './team.ts';
import type { ThreadWorker } from './team.ts';

export { attachModel, releaseModel, shareModel } from './share.ts';
export type { SharedModel } from './share.ts';
export type { ThreadWorker } from './team.ts';

export interface ThreadedEngineOptions extends EngineOptions {
  /** How many threads, this one among them; default as many as the host runs at once, at most 8. */
  readonly threads?: number;
  /**
   * Makes a worker that does nothing but `import 'gatefold/threads/worker'`, where the package's
   * own file cannot be found.
   */
  readonly worker?: () => ThreadWorker;
}

/**
 * An engine that shares its larger calls out to threads of one memory. Where the host has no shared
 * memory (a page without the headers of cross-origin isolation) or no workers, it runs on one, with
 * the same results: `threads` tells.
 */
export class ThreadedEngine extends TeamEngine {
  static override async create(options: ThreadedEngineOptions = {}): Promise<ThreadedEngine> {
    checkKeys('options', options, ['simd', 'maxBytes', 'wide', 'threads', 'worker']);
    const { simd, maxBytes = DEFAULT_MAX_BYTES, wide = false, worker = createWorker } = options;
    const usual = Math.min(coresOf(), 8);
    const threads = checkInteger('threads', options.threads ?? usual, 1, MAX_THREADS);
    const module = wasmBytes(simd === undefined ? {} : { simd });
    return this.start({ module, maxBytes, wide }, threads, worker);
  }
}

/** The package's own worker. Bundlers look for this very form of a call. */
function createWorker(): ThreadWorker {
  if (typeof Worker === 'function')
    return new Worker(new URL('./threads/worker.js', import.meta.url), { type: 'module' });
  const node = process.getBuiltinModule('node:worker_threads');
  // Options of the process (a loader, a program as text) are nothing to it.
  return new node.Worker(new URL('./threads/worker.js', import.meta.url), { execArgv: [] });
}
