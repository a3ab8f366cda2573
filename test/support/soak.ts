import { expect } from 'vitest';
import { Model, Trainer } from '../../src/hosts/default.ts';
import type { Engine, LayerSpec } from '../../src/hosts/default.ts';
import { createEngine } from './engines.ts';
import { liveHeap } from './heap.ts';

/** What an engine and the heap may hold more at the end than after the first tenth of a soak. */
const MOST_HEAP = 2 ** 20;

/**
 * Calls of ever other shapes on models that stay: one way, both ways, pooled, streamed, trained.
 */
function useShapes(engine: Engine, from: number, until: number): void {
  const recurrent = { type: 'lstm', inputSize: 3, hiddenSize: 8 } as const;
  const out: LayerSpec = { type: 'linear', outFeatures: 2 };
  const one = Model.create(engine, { layers: [recurrent, out] });
  const both = Model.create(engine, { layers: [{ ...recurrent, bidirectional: true }, out] });
  const pooled = Model.create(engine, { layers: [recurrent, { type: 'pool', mode: 'mean' }, out] });
  const trainer = Trainer.create(one, { batch: 2, steps: 150, loss: 'mse' });
  const stream = one.stream({ batch: 2 });
  const x = new Float32Array(150 * 4 * 3);
  const target = new Float32Array(150 * 2 * 2);
  for (let k = from; k < until; k++) {
    const steps = 1 + ((k * 7919) % 150);
    const batch = 1 + (k % 4);
    const inputs = x.subarray(0, steps * batch * 3);
    const lengths = Array.from({ length: batch }, (_, row) => 1 + ((k + 13 * row) % steps));
    const options = k % 3 ? { steps, batch } : { steps, batch, lengths };
    [one, both, pooled][k % 3]!.forward(inputs, options);
    if (k % 4 === 0)
      trainer.evaluateWindow(x.subarray(0, steps * 6), target.subarray(0, steps * 4), { steps });
    if (k % 4 === 1) stream.run(x.subarray(0, steps * 6), target.subarray(0, steps * 4), steps);
  }
  for (const owner of [stream, trainer, one, both, pooled]) owner.dispose();
}

/**
 * Requires that `count` calls of other shapes leave nothing behind, beyond what the first tenth
 * has.
 */
export function requireFlat(count: number): void {
  const engine = createEngine('baseline');
  const early = Math.ceil(count / 10);
  useShapes(engine, 0, early);
  const [bytes, heap] = [engine.bytes, liveHeap()];
  useShapes(engine, early, count);
  expect(engine.bytes).toBe(bytes);
  expect(liveHeap() - heap).toBeLessThan(MOST_HEAP);
  engine.dispose();
}
