/**
 * `gatefold/threads/worker`: what the workers of `createThreadedEngine` run. Nothing happens but in a worker that is sent a task.
 */

import type { Kernels } from '../kernels.ts';
import { CALLS } from './calls.ts';
import { CALL, END, PENDING, ROUND, Seat, waitFor, wake } from './control.ts';
import type { Task } from './control.ts';

/** How much longer a worker spins for the next round: between two there may be a little of the caller's work. */
const IDLE = 5;

/** Runs its share of every round, until the end. */
export function work({ bytes, imports, control, share, patience }: Task, ready: () => void): void {
  const module = new WebAssembly.Module(bytes);
  const { exports } = new WebAssembly.Instance(module, { ...imports });
  const run = exports as unknown as Kernels['run'];
  const seat = new Seat(control, share, patience);
  let round = 0;
  ready();
  for (;;) {
    waitFor(control, ROUND, round, patience * IDLE);
    round = Atomics.load(control, ROUND);
    if (round === END) return;
    seat.take(CALLS[control[CALL]!]!.call, run);
    if (Atomics.sub(control, PENDING, 1) === 1) wake(control, PENDING);
  }
}

const port = globalThis.process?.getBuiltinModule?.('node:worker_threads').parentPort;
if (port) {
  port.once('message', (task: Task) => work(task, () => port.postMessage('ready')));
} else if ('WorkerGlobalScope' in globalThis) {
  const ready = (): void => globalThis.postMessage('ready');
  globalThis.addEventListener('message', ({ data }) => work(data as Task, ready), { once: true });
}
