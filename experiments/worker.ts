/** A thread that trains what it is sent, one run at a time. */
import { parentPort } from 'node:worker_threads';
import { Engine } from '../src/hosts/default.ts';
import type { Cell } from './cells.ts';
import { SHORT_TASKS, TASKS } from './plan.ts';
import { train } from './train.ts';
import type { Result } from './train.ts';

export interface Job {
  readonly task: string;
  readonly cell: Cell;
  readonly seed: number;
  /** Whether the task is one of the short ones. */
  readonly short: boolean;
}

export type Message =
  | { readonly type: 'report'; readonly sequences: number; readonly loss: number }
  | { readonly type: 'result'; readonly result: Result };

const port = parentPort!;
port.on('message', ({ task: id, cell, seed, short }: Job) => {
  const task = (short ? SHORT_TASKS : TASKS).find((one) => one.id === id)!;
  // The build that computes the same bits on every machine: the table can be repeated exactly.
  const engine = Engine.createSync({ simd: 'deterministic' });
  const result = train(engine, task, cell, seed, (sequences, loss) => {
    port.postMessage({ type: 'report', sequences, loss } satisfies Message);
  });
  engine.dispose();
  port.postMessage({ type: 'result', result } satisfies Message);
});
