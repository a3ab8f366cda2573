/** A bidirectional classifier out of PyTorch: run, fine-tuned, written back, run by onnxruntime-web. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { loadOnnx, writeOnnx } from '../../src/formats/onnx.ts';
import { Trainer } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';
import { createRandom } from '../support/random.ts';
import { oracle } from './onnx-oracle.ts';

const [B, T, TOKENS, CLASSES] = [16, 5, 11, 3];
const file = new URL('../fixtures/onnx/classifier.onnx', import.meta.url);

/** Sequences, and for each how often a token below 4 comes: never, once, or more. */
function drawn(seed: number): { x: Int32Array; target: Int32Array } {
  const random = createRandom(seed);
  const x = Int32Array.from({ length: T * B }, () => random.integer(0, TOKENS - 1));
  const target = Int32Array.from({ length: B }, (_, b) => {
    const count = Array.from({ length: T }, (__, t) => x[t * B + b]!).filter((k) => k < 4).length;
    return Math.min(count, 2);
  });
  return { x, target };
}

it('an exported classifier goes on learning, and goes back', async () => {
  const engine = createEngine('relaxed');
  const model = loadOnnx(engine, readFileSync(file));
  const [input] = model.inputs.map(({ name }) => name);
  const trainer = Trainer.create(model, {
    loss: 'cross-entropy',
    optimizer: { type: 'adam', learningRate: 0.03 },
    batch: B,
    steps: T,
  });
  const losses = Array.from({ length: 100 }, (_, step) => {
    const { x, target } = drawn(step + 1);
    return trainer.trainOn(x, target).loss;
  });
  const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b) / list.length;
  expect(mean(losses.slice(-10))).toBeLessThan(0.5 * mean(losses.slice(0, 10)));

  const { x, target } = drawn(1000);
  const own = model.forward(x, { steps: T, batch: B }).output as Float32Array;
  const written = writeOnnx(model);
  // ONNX has the batch in front.
  const data = Int32Array.from(x, (_, k) => x[(k % T) * B + Math.floor(k / T)]!);
  const [theirs] = await oracle(written, [{ name: input!, shape: [B, T], data, type: 'int64' }]);
  const worst = own.reduce((most, y, k) => Math.max(most, Math.abs(y - theirs!.data[k]!)), 0);
  expect(theirs!.shape).toEqual([B, CLASSES]);
  expect(worst).toBeLessThan(5e-6);
  const rows = Array.from({ length: B }, (_, b) =>
    Array.from(own.slice(b * CLASSES, (b + 1) * CLASSES)),
  );
  const right = rows.filter((row, b) => row.indexOf(Math.max(...row)) === target[b]).length;
  expect(right).toBeGreaterThan(0.7 * B);
  const again = loadOnnx(engine, written).forward(x, { steps: T, batch: B }).output as Float32Array;
  expect(Math.max(...again.map((y, k) => Math.abs(y - own[k]!)))).toBeLessThan(1e-6);
  console.info(
    `loss ${mean(losses.slice(0, 10))} to ${mean(losses.slice(-10))}, worst ${worst}, ${right} of ${B}`,
  );
  engine.dispose();
});
