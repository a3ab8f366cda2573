/** What the workers of `scoreSequences` run: batches of a model that they share. */

import { parentPort } from 'node:worker_threads';
import { register } from '../../ops/index.ts';
import { program } from '../../ops/program/program.ts';
import { attachModel } from '../../threads/share.ts';
import type { SharedModel } from '../../threads/share.ts';
import { runPacked } from './batch.ts';
import type { Packed } from './batch.ts';
import { serve } from './pool.ts';

// A model with such layers says only to its own thread that there are some.
register(program);

if (parentPort) {
  serve(parentPort, ({ shared }: { readonly shared: SharedModel }) => {
    const model = attachModel(shared);
    return (packed: Packed) => {
      const answer = runPacked(model, packed);
      return { answer, transfer: answer.map(({ buffer }) => buffer) };
    };
  });
}
