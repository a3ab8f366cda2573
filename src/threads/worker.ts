/**
 * `gatefold/threads/worker`: what the workers of `createThreadedEngine` run. Nothing happens but in a worker that is sent a task.
 */

import type { Kernels } from '../kernels.ts';
import {
  ASLEEP,
  DESCRIPTOR,
  END,
  FAILURE,
  MAX_FAILURE,
  PENDING,
  PHASE,
  ROUND,
  SCRATCH,
  SHARES,
  spin,
} from './control.ts';
import type { Task } from './control.ts';

/** How long a worker spins for the next round before it goes to sleep, in milliseconds: waking it takes about 0.05. */
const PATIENCE = 2;

/** Runs its share of every round, until the end. */
export function work({ bytes, memory, control, share }: Task, ready: () => void): void {
  const module = new WebAssembly.Module(bytes);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { part_run: run } = exports as unknown as Kernels['run'];
  let round = 0;
  ready();
  for (;;) {
    while (!spin(control, ROUND, round, PATIENCE)) {
      Atomics.add(control, ASLEEP, 1);
      Atomics.wait(control, ROUND, round);
      Atomics.sub(control, ASLEEP, 1);
    }
    round = Atomics.load(control, ROUND);
    if (round === END) return;
    try {
      run(control[PHASE]!, control[DESCRIPTOR]!, control[SCRATCH]!, share, control[SHARES]!);
    } catch (error) {
      const text = String(error).slice(0, MAX_FAILURE);
      for (let k = 0; k < text.length; k++) control[FAILURE + 1 + k] = text.charCodeAt(k);
      control[FAILURE] = text.length;
    }
    if (Atomics.sub(control, PENDING, 1) === 1) Atomics.notify(control, PENDING);
  }
}

const port = globalThis.process?.getBuiltinModule?.('node:worker_threads').parentPort;
if (port) {
  port.once('message', (task: Task) => work(task, () => port.postMessage('ready')));
} else if ('WorkerGlobalScope' in globalThis) {
  const ready = (): void => globalThis.postMessage('ready');
  globalThis.addEventListener('message', ({ data }) => work(data as Task, ready), { once: true });
}
