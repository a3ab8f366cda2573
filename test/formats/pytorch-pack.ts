/** Packs of modules that test/fixtures/pytorch/make.py wrote, with what PyTorch makes of them. */
import { expect } from 'vitest';
import { loadPytorch, readPytorch } from '../../src/formats/pytorch.ts';
import { Trainer } from '../../src/hosts/default.ts';
import type { Engine, ModelDescription, Tensor } from '../../src/hosts/default.ts';

const [BATCH, STEPS] = [2, 6];
/** The least size that a difference is measured by. */
const FLOOR = 0.1;
/** Of outputs and of parameters after a step; norms of two features enlarge what is rounded. */
const TOLERANCE = 1e-5;

/** The largest difference, relative to the largest expected number. */
export function worstOf(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let [worst, size] = [0, FLOOR];
  for (let k = 0; k < expected.length; k++) {
    worst = Math.max(worst, Math.abs(actual[k]! - expected[k]!));
    size = Math.max(size, Math.abs(expected[k]!));
  }
  return worst / size;
}

/** [B, T, F] as [T, B, F]. */
function timeFirst({ shape, data }: Tensor): Float32Array {
  const [batch, steps, features = 1] = shape as [number, number, number?];
  return data.map((_, k) => {
    const [t, b] = [Math.floor(k / features / batch), Math.floor(k / features) % batch];
    return data[(b * steps + t) * features + (k % features)]!;
  });
}

/** Runs and trains every module of a pack; the worst differences. */
export function checkPack(engine: Engine, bytes: Uint8Array): Record<string, number> {
  const { tensors, metadata } = readPytorch(bytes);
  const cases = Object.entries(metadata.file as Record<string, { description: string }>);
  const worst = { cases: cases.length, forward: 0, step: 0 };
  const data = (name: string): Tensor => tensors.get(name)!;
  for (const [name, { description: json }] of cases) {
    const description = JSON.parse(json) as ModelDescription;
    const model = loadPytorch(engine, bytes, { description, prefix: `${name}.model.` });
    const x = data(`${name}.x`).data;
    const input = model.takesTokens ? Int32Array.from(x) : x;
    const y = data(`${name}.y`).data;
    const { output } = model.forward(input, { steps: STEPS, batch: BATCH, batchFirst: true });
    const forward = worstOf(output, y);
    expect(forward, json).toBeLessThan(TOLERANCE);
    const trainer = Trainer.create(model, {
      batch: BATCH,
      steps: STEPS,
      loss: 'mse',
      optimizer: { type: 'sgd', learningRate: 0.1 },
    });
    const given = data(`${name}.target`);
    const target = model.pooled ? given.data : timeFirst(given);
    const steps = timeFirst(data(`${name}.x`));
    trainer.trainOn(model.takesTokens ? Int32Array.from(steps) : steps, target);
    let step = 0;
    for (const [own, { data: trained }] of model.stateDict()) {
      step = Math.max(step, worstOf(trained, data(`${name}.after.${own}`).data));
    }
    expect(step, json).toBeLessThan(TOLERANCE);
    worst.forward = Math.max(worst.forward, forward);
    worst.step = Math.max(worst.step, step);
    trainer.dispose();
    model.dispose();
  }
  return worst;
}
