import { importBuiltin } from './builtin.ts';
import type { ThreadWorker } from './team.ts';
import { WORKER_TEXT } from './worker-text.ts';

/** A way to make the package's worker. */
export interface WorkerSource {
  /** What it is made from. */
  readonly from: string;
  readonly create: () => ThreadWorker | Promise<ThreadWorker>;
}

/** Made once, for an address of a blob is taken until the page ends. */
let address: string | undefined;

/** Ways to make a worker, in the order of trying. */
export const WORKERS: readonly WorkerSource[] = [
  {
    from: 'its file',
    create: async () => {
      // Bundlers look for this very form of a call. It is in one of the chunks of dist/.
      if (typeof Worker === 'function')
        return new Worker(new URL('../threads/worker.js', import.meta.url), { type: 'module' });
      return nodeWorker(new URL('../threads/worker.js', import.meta.url), { eval: false });
    },
  },
  {
    from: 'its text',
    create: async () => {
      if (typeof Worker !== 'function') return nodeWorker(WORKER_TEXT, { eval: true });
      address ??= URL.createObjectURL(new Blob([WORKER_TEXT], { type: 'text/javascript' }));
      return new Worker(address, { type: 'module' });
    },
  },
];

/** Options of the process (a loader, a program as text) are nothing to it. */
async function nodeWorker(
  program: string | URL,
  options: { eval: boolean },
): Promise<ThreadWorker> {
  const node = await importBuiltin('node:worker_threads');
  if (!node) throw 'this host has no workers';
  return new node.Worker(program, { ...options, execArgv: [] });
}
