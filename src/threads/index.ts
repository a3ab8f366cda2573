/** `gatefold/threads`: an engine whose kernels run on several threads, over one shared memory. */

import { checkInteger, checkKeys } from '../base/check.ts';
import { DEFAULT_MAX_BYTES, kernelsFor } from '../hosts/wasm/inline.ts';
import type { EngineOptions } from '../hosts/default.ts';
import { MAX_THREADS } from './control.ts';
import { TeamEngine } from './engine.ts';
import { countCores } from './team.ts';
import type { ThreadWorker } from './team.ts';
import { WORKERS } from './workers.ts';

export { attachModel, releaseModel, shareModel } from './share.ts';
export type { SharedModel } from './share.ts';
export type { ThreadWorker } from './team.ts';

export interface ThreadedEngineOptions extends EngineOptions {
  /** How many threads, this one among them; default as many as the host runs at once, at most 8. */
  readonly threads?: number;
  /**
   * Makes a worker that does nothing but `import 'gatefold/threads/worker'`, instead of the
   * package's own.
   */
  readonly worker?: () => ThreadWorker;
}

/**
 * An engine that shares its larger calls out to threads of one memory. Where the host has no shared
 * memory (a page without the headers of cross-origin isolation) or no workers, it runs on one, with
 * the same results: `threads` tells, and `threadsReason` says why.
 */
export class ThreadedEngine extends TeamEngine {
  static override async create(options: ThreadedEngineOptions = {}): Promise<ThreadedEngine> {
    checkKeys('options', options, ['simd', 'maxBytes', 'wide', 'threads', 'worker']);
    const { simd, maxBytes = DEFAULT_MAX_BYTES, wide = false, worker } = options;
    const usual = Math.min(await countCores(), 8);
    const threads = checkInteger('threads', options.threads ?? usual, 1, MAX_THREADS);
    const module = kernelsFor(simd === undefined ? {} : { simd });
    const workers = worker ? [{ from: '"worker"', create: worker }] : WORKERS;
    return this.start({ module, maxBytes, wide }, threads, workers);
  }
}
