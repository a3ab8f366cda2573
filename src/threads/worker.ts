/**
 * `gatefold/threads/worker`: what the workers of `ThreadedEngine` run. Nothing happens but in
 * a worker that is sent a task.
 */

import type { Kernels } from '../engine/kernels.ts';
import { CALLS } from './calls.ts';
import { CALL, END, PENDING, ROUND, Seat, waitFor, wake } from './control.ts';
import type { Task } from './control.ts';

/**
 * How much longer a worker spins for the next round: between two there may be a little of the
 * caller's work.
 */
const IDLE = 5;

/** Runs its share of every round, until the end. `ready` answers the owner. */
function work(task: Task, ready: (answer: number) => void): void {
  const { control, patience } = task;
  const module = new WebAssembly.Module(task.bytes);
  const { exports } = new WebAssembly.Instance(module, { ...task.imports });
  const run = exports as unknown as Kernels['run'];
  const seat = new Seat(task);
  let round = Atomics.load(control, ROUND);
  ready(task.number);
  // A round that another thread has ended already is taken all the same, for its owner counts who
  // has been there.
  while (!Atomics.load(control, END) || Atomics.load(control, ROUND) !== round) {
    waitFor(control, ROUND, round, patience * IDLE);
    round = Atomics.load(control, ROUND);
    seat.take(CALLS[control[CALL]!]!.call, run);
    if (Atomics.sub(control, PENDING, 1) === 1) wake(control, PENDING);
  }
}

const port = globalThis.process?.getBuiltinModule?.('node:worker_threads').parentPort;
if (port) {
  port.once('message', (task: Task) => work(task, (answer) => port.postMessage(answer)));
} else if ('WorkerGlobalScope' in globalThis) {
  const ready = (answer: number): void => globalThis.postMessage(answer);
  globalThis.addEventListener('message', ({ data }) => work(data as Task, ready), { once: true });
}
