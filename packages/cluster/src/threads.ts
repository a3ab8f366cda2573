/** Threads that train, kept for the next shard. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { refuse } from './errors.ts';
import type { TrainAnswer, TrainReply, TrainTask } from './train-shard.ts';

export class TrainThreads {
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  async run(task: TrainTask): Promise<TrainAnswer> {
    const thread = this.#idle.pop() ?? this.#start();
    thread.ref();
    thread.postMessage(task);
    // Rejects with what ends the thread; an exit without an error is that of `end`.
    const [reply] = (await Promise.race([
      once(thread, 'message'),
      once(thread, 'exit').then(() => [{ error: 'the thread has ended' }]),
    ])) as [TrainReply];
    if (this.#all.has(thread)) this.#idle.push(thread);
    thread.unref();
    if (reply.answer) return reply.answer;
    if (reply.isFinal) return refuse(reply.error!);
    throw new Error(reply.error);
  }

  #start(): Worker {
    const thread = new Worker(new URL('./train-shard.js', import.meta.url), { execArgv: [] });
    this.#all.add(thread);
    thread.on('exit', () => this.#all.delete(thread));
    thread.setMaxListeners(0);
    return thread;
  }

  async end(): Promise<void> {
    await Promise.all([...this.#all].map((thread) => thread.terminate()));
  }
}
