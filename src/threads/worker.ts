/**
 * `gatefold/threads/worker`: what the workers of `ThreadedEngine` run. Nothing happens but in
 * a worker that is sent a task.
 */

import type { MessagePort } from 'node:worker_threads';
import type { Kernels } from '../engine/kernels.ts';
import { builtin, importBuiltin } from './builtin.ts';
import { CALLS } from './calls.ts';
import { CALL, END, PENDING, ROUND, Seat, waitFor, wake } from './control.ts';
import type { Task } from './control.ts';

/**
 * How much longer a worker spins for the next round: between two there may be a little of the
 * caller's work.
 */
const IDLE = 5;

/** Runs its share of every round, until the end. `answer` tells the owner how far it has come. */
function work(task: Task, answer: (number: number) => void): void {
  const { control, patience, number } = task;
  answer(number - 1);
  const module = new WebAssembly.Module(task.bytes);
  const { exports } = new WebAssembly.Instance(module, { ...task.imports });
  const run = exports as unknown as Kernels['run'];
  const seat = new Seat(task);
  let round = Atomics.load(control, ROUND);
  answer(number);
  // A round that another thread has ended already is taken all the same, for its owner counts who
  // has been there.
  while (!Atomics.load(control, END) || Atomics.load(control, ROUND) !== round) {
    waitFor(control, ROUND, round, patience * IDLE);
    round = Atomics.load(control, ROUND);
    seat.take(CALLS[control[CALL]!]!.call, run);
    if (Atomics.sub(control, PENDING, 1) === 1) wake(control, PENDING);
  }
}

/** What a worker of Node listens to. */
function listen(port: MessagePort | null | undefined): void {
  port?.once('message', (task: Task) => work(task, (number) => port.postMessage(number)));
}

const node = builtin('node:worker_threads');
if (node?.parentPort) {
  listen(node.parentPort);
} else if ('WorkerGlobalScope' in globalThis) {
  const answer = (number: number): void => globalThis.postMessage(number);
  globalThis.addEventListener('message', ({ data }) => work(data as Task, answer), { once: true });
} else if (!node) {
  void importBuiltin('node:worker_threads').then((late) => listen(late?.parentPort));
}
