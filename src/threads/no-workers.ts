/**
 * In place of `workers.ts` where a host compiles no kernels at run time: it has no threads, and
 * bundlers for it stumble over the address of a worker.
 */

import type { WorkerSource } from './workers.ts';

export const WORKERS: readonly WorkerSource[] = [];
