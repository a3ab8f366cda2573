/**
 * What models of very many small layers cost: every call on the way must be linear in their number.
 */
import { loadModel, loadTrainer, readSafetensors } from '../../src/formats/safetensors.ts';
import { saveModel, saveTrainer, writeSafetensors } from '../../src/formats/safetensors.ts';
import { readPytorch } from '../../src/formats/pytorch.ts';
import { Model, Trainer, gradientFlow } from '../../src/hosts/default.ts';
import type { Engine, LayerSpec, ModelDescription } from '../../src/hosts/default.ts';
import { cpuMs } from './cpu.ts';

const STEPS = 2;
const READ = { maxHeaderBytes: 1e8 };

const list = (count: number, layer: (k: number) => object): ModelDescription => ({
  layers: Array.from(
    { length: count },
    (_, k) => ({ ...layer(k), ...(k ? {} : { inputSize: 1 }) }) as LayerSpec,
  ),
});
const stack = (layer: object): ModelDescription => list(1, () => layer);

/** Descriptions of so many layers and sub-layers, both directions counted. */
export const MANY: Readonly<Record<string, (count: number) => ModelDescription>> = {
  'LSTM layers': (n) => list(n, () => ({ type: 'lstm', hiddenSize: 1 })),
  'GRU layers': (n) => list(n, () => ({ type: 'gru', hiddenSize: 1 })),
  'Elman layers': (n) => list(n, () => ({ type: 'rnn', hiddenSize: 1 })),
  'independent layers': (n) => list(n, () => ({ type: 'indrnn', hiddenSize: 1 })),
  'layers with options': (n) =>
    list(n, () => ({
      type: 'lstm',
      hiddenSize: 2,
      projSize: 1,
      layerNorm: true,
      zoneout: 0.1,
      recurrentDropout: 0.1,
      inputDropout: 0.1,
    })),
  'linear layers': (n) => ({
    layers: Array.from({ length: n }, () => ({ type: 'linear', inFeatures: 1, outFeatures: 1 })),
  }),
  'tied layers': (n) => ({
    layers: [
      { type: 'embedding', numEmbeddings: 4, embeddingDim: 4 },
      ...Array.from({ length: n - 1 }, () => ({ type: 'linear', tied: 'embedding' }) as const),
    ],
  }),
  'sub-layers': (n) => stack({ type: 'lstm', hiddenSize: 1, numLayers: n, dropout: 0.1 }),
  'sub-layers both ways': (n) =>
    stack({ type: 'gru', hiddenSize: 1, numLayers: n / 2, bidirectional: true, merge: 'sum' }),
  'layers both ways': (n) =>
    list(n / 2, () => ({ type: 'lstm', hiddenSize: 1, bidirectional: true, merge: 'ave' })),
};

/** Processor time in milliseconds of every call over such a model, by its name. */
export function costsOf(engine: Engine, description: ModelDescription): Map<string, number> {
  const costs = new Map<string, number>();
  const timed = <T>(name: string, run: () => T): T => {
    let result: T;
    costs.set(
      name,
      cpuMs(() => void (result = run())),
    );
    return result!;
  };
  const model = timed('create', () => Model.create(engine, description));
  const isCausal = !description.layers.some((layer) => 'bidirectional' in layer);
  const x = model.takesTokens ? new Int32Array(STEPS) : new Float32Array(STEPS);
  const target = new Float32Array(STEPS * model.outputSize);
  const { state } = timed('first forward', () => model.forward(x, { steps: STEPS }));
  timed('forward', () => model.forward(x, { steps: STEPS, state }));
  if (isCausal) {
    const stream = timed('stream', () => model.stream());
    const out = new Float32Array(model.outputSize);
    timed('step', () => stream.step(x.subarray(1), out));
    const kept = timed('save', () => stream.save());
    timed('restore', () => stream.restore(kept));
    stream.dispose();
  }
  timed('gates', () => model.gates(x, { steps: STEPS }));
  timed('gradientFlow', () => gradientFlow(model, { x, steps: STEPS, target, loss: 'mse' }));
  const parameters = timed('stateDict', () => model.stateDict());
  timed('loadStateDict', () => model.loadStateDict(parameters));
  const bytes = timed('saveModel', () => saveModel(model));
  timed('loadModel', () => loadModel(engine, readSafetensors(bytes, READ))).dispose();
  const file = readSafetensors(writeSafetensors(parameters), READ);
  timed('readPytorch', () => readPytorch(file, { description }));
  const names = [...new Set([...parameters.keys()].map((name) => name.split('.')[0]!))];
  const trainer = timed('Trainer.create', () =>
    Trainer.create(model, {
      batch: 1,
      steps: STEPS,
      loss: 'mse',
      optimizer: { type: 'sgd', lr: 1e-6 },
      gradClip: { tensorNorm: 1 },
      groups: [{ parameters: names, lr: 1e-7 }],
      onNonFinite: 'skip',
    }),
  );
  timed('trainer.step', () => trainer.trainOn(x, target));
  timed('backward', () => {
    trainer.forward(x);
    trainer.backward({ target, flow: true });
  });
  const run = timed('saveTrainer', () => saveTrainer(trainer));
  timed('loadTrainer', () => loadTrainer(trainer, readSafetensors(run, READ)));
  trainer.dispose();
  timed('quantize', () => model.quantize()).dispose();
  model.dispose();
  return costs;
}
