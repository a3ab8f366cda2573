import { Model, Trainer, type Engine } from '../../src/hosts/default.ts';
import { sameBits } from './agreement.ts';

/** Runs everything that threads share out, on fresh models: what it leaves behind. */
export function courseOfThreads(engine: Engine): Float32Array[] {
  const left: Float32Array[] = [];
  const steps = 5;
  const batch = 8;
  const numbers = (length: number): Float32Array =>
    Float32Array.from({ length }, (_, k) => Math.sin(k));
  const recurrent = {
    type: 'gru',
    inputSize: 6,
    hiddenSize: 8,
    numLayers: 2,
    bidirectional: true,
  } as const;
  for (const loss of ['cross-entropy', 'mse'] as const) {
    const model = Model.create(engine, {
      layers: [
        recurrent,
        { type: 'linear', outFeatures: 5 },
        // Their gradients take the place of what they read.
        { type: 'batchNorm' },
        { type: 'linear', outFeatures: 5 },
        { type: 'convTranspose1d', outChannels: 5, kernelSize: 3, padding: 1 },
        { type: 'linear', outFeatures: 4 },
      ],
    });
    const trainer = Trainer.create(model, { batch, steps, loss });
    const rows = steps * batch;
    const target =
      loss === 'mse' ? numbers(rows * 4) : Int32Array.from({ length: rows }, (_, k) => k % 4);
    const lengths = Int32Array.from({ length: batch }, (_, k) => 1 + (k % steps));
    const report = trainer.trainOn(numbers(rows * 6), target, { lengths });
    left.push(Float32Array.of(report.loss, report.gradNorm));
    left.push(...[...model.stateDict().values()].map(({ data }) => data));
    trainer.dispose();
    model.dispose();
  }
  // One row: its steps are taken together, each by units.
  const model = Model.create(engine, { layers: [{ type: 'lstm', inputSize: 6, hiddenSize: 32 }] });
  left.push(model.forward(numbers(steps * 6), { steps }).output);
  model.dispose();
  return left;
}

export function sameCourse(a: readonly Float32Array[], b: readonly Float32Array[]): boolean {
  return a.length === b.length && a.every((array, k) => sameBits(array, b[k]!));
}
