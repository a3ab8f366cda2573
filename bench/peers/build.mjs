/** A build of gatefold as a peer: this one, or another beside it. */
import { training } from '../cases.mjs';
import { refusalOf } from '../../test/support/builds.ts';

function stream(model, { steps, batch, hiddenSize }, { x }) {
  const one = model.stream({ batch });
  const out = new Float32Array(steps * batch * hiddenSize);
  const run = steps === 1 ? () => one.step(x, out) : () => one.run(x, out, steps);
  return { run, result: () => out, dispose: () => one.dispose() };
}

function sequence(model, { steps, batch, lengths }, { x }) {
  let output;
  return {
    run() {
      ({ output } = model.forward(x, { steps, batch, lengths }));
    },
    result: () => output,
  };
}

function update(model, { steps, batch, lengths }, { x, target }, build) {
  const { learningRate, betas, eps, clipNorm } = training;
  const { trainer, trainOn } = build.createTrainer(model, {
    steps,
    batch,
    loss: 'mse',
    optimizer: { type: 'adam', learningRate, betas, eps },
    gradClip: { norm: clipNorm },
  });
  let loss;
  return {
    run() {
      trainer.resetState();
      ({ loss } = trainOn(x, target, { lengths }));
    },
    result: () => [loss],
    dispose: () => trainer.dispose(),
  };
}

const prepareKind = {
  step: stream,
  stream,
  sequence,
  batch: sequence,
  ragged: sequence,
  int8: sequence,
  stack: sequence,
  product: sequence,
  training: update,
  'ragged-training': update,
};

/** @param options of the engine, beside its memory. */
export async function createBuildPeer(name, version, build, options = {}) {
  const engine = await build.createEngine({ maxBytes: 2 ** 30, ...options });
  const create = ({ layer }, weights) =>
    build.createModel(engine, { layers: [layer], weights }, { init: 'zeros' });
  return {
    name,
    version: `${version} (${build.variantOf(engine)})`,
    lacks(benchCase) {
      try {
        create(benchCase).dispose();
        return undefined;
      } catch (error) {
        refusalOf(error);
        return 'cannot be expressed';
      }
    },
    prepare(benchCase, data, weights = benchCase.kind === 'int8' ? 'int8' : 'float32') {
      const model = create(benchCase, weights);
      build.loadParameters(model, Object.fromEntries(data.parameters));
      const prepared = prepareKind[benchCase.kind](model, benchCase, data, build);
      return {
        ...prepared,
        dispose() {
          prepared.dispose?.();
          model.dispose();
        },
      };
    },
  };
}
