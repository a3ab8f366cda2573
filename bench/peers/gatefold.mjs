/** Ourselves, as a user gets us: the built package. */
import { Engine, Model, Trainer } from '../../dist/index.js';
import manifest from '../../package.json' with { type: 'json' };
import { training } from '../cases.mjs';

const engine = await Engine.create({ maxBytes: 2 ** 30 });

export const name = 'gatefold';
export const version = `${manifest.version} (${engine.simd})`;

export function lacks() {
  return undefined;
}

const prepareKind = {
  step(model, { hiddenSize }, { x }) {
    const stream = model.stream();
    const out = new Float32Array(hiddenSize);
    return { run: () => stream.step(x, out), result: () => out, dispose: () => stream.dispose() };
  },

  sequence(model, { steps, batch }, { x }) {
    let output;
    return {
      run() {
        ({ output } = model.forward(x, { steps, batch }));
      },
      result: () => output,
    };
  },

  training(model, { steps, batch }, { x, target }) {
    const { learningRate: lr, betas, eps, clipNorm } = training;
    const trainer = Trainer.create(model, {
      steps,
      batch,
      loss: 'mse',
      optimizer: { type: 'adam', lr, betas, eps },
      gradClip: { norm: clipNorm },
    });
    let loss;
    return {
      run() {
        trainer.resetState();
        ({ loss } = trainer.step(x, target));
      },
      result: () => [loss],
      dispose: () => trainer.dispose(),
    };
  },
};
prepareKind.batch = prepareKind.sequence;
prepareKind.int8 = prepareKind.sequence;
prepareKind.stack = prepareKind.sequence;
prepareKind.product = prepareKind.sequence;

export function prepare(benchCase, data, weights = benchCase.kind === 'int8' ? 'int8' : 'float32') {
  const model = Model.create(engine, { layers: [benchCase.layer], weights });
  model.loadStateDict(data.parameters);
  const prepared = prepareKind[benchCase.kind](model, benchCase, data);
  return {
    ...prepared,
    dispose() {
      prepared.dispose?.();
      model.dispose();
    },
  };
}
