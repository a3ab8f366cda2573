import { Model, Trainer, type Engine } from '../../src/hosts/default.ts';
import { cellForms, recurrentLayer } from './cells.ts';
import { liveHeap } from './heap.ts';

const forms = Object.values(cellForms);

/**
 * Makes a model of the k-th of many shapes with a stream and a trainer, uses all three, and
 * disposes of them.
 */
export function createAndDispose(engine: Engine, k: number): void {
  const hiddenSize = 1 + (k % 13);
  const model = Model.create(engine, {
    layers: [
      recurrentLayer(forms[k % forms.length]!, { inputSize: 1 + (k % 5), hiddenSize }),
      { type: 'linear', outFeatures: 2 },
    ],
  });
  const [steps, batch] = [1 + (k % 3), 1 + (k % 4)];
  const stream = model.stream({ batch });
  const trainer = Trainer.create(model, {
    batch,
    steps,
    loss: 'mse',
    optimizer: { type: 'adam', lr: 1e-3 },
  });
  stream.step(new Float32Array(batch * model.inputSize), new Float32Array(batch * 2));
  trainer.trainOn(
    new Float32Array(steps * batch * model.inputSize),
    new Float32Array(steps * batch * 2),
  );
  // Any order of disposing must do; a trainer or stream that outlives its model is only good for
  // being disposed of.
  const all = [stream, trainer, model];
  for (let n = 0; n < 3; n++) all[(n + k) % 3]!.dispose();
}

export interface Growth {
  /** Of the engine's memory, in bytes. */
  readonly engine: number;
  /** Of the live JavaScript objects, in bytes. */
  readonly heap: number;
}

/**
 * What `cycles` of the above leave behind, after a first round of all shapes and the compilations
 * that come with it.
 */
export function churn(engine: Engine, cycles: number): Growth {
  const round = 13 * 5 * 4 * 3;
  for (let k = 0; k < 3 * round; k++) createAndDispose(engine, k);
  const [bytes, heap] = [engine.bytes, liveHeap()];
  for (let k = 0; k < cycles; k++) createAndDispose(engine, k);
  return { engine: engine.bytes - bytes, heap: liveHeap() - heap };
}
