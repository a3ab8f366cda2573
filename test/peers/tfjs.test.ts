/**
 * Random layers in gatefold and in TensorFlow.js: outputs, all gradients, and training with SGD and
 * Adam, on whole batches and on masked ones.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Trainer, type Engine } from '../../src/hosts/default.ts';
import { cellForms } from '../support/cells.ts';
import { createEngine, variants } from '../support/engines.ts';
import type { RecurrentLayer } from './gates.ts';
import { arraysOf, createModel, differentiate } from './gatefold.ts';
import {
  createPeerProblem,
  describeProblem,
  maxError,
  type Limits,
  withLengths,
  type PeerProblem,
} from './problems.ts';
import { missingInTfjs } from './tfjs-layer.ts';
import { differentiateInTfjs, prepareTfjs, trainInTfjs, type TfjsTraining } from './tfjs.ts';

const CASES_PER_FORM = 6;
/**
 * TensorFlow.js 4.22 cannot differentiate a sequence of one step: the gradient of its `unstack`
 * wants several.
 */
const LIMITS: Limits = { maxInputSize: 40, maxHiddenSize: 40, steps: [2, 12] };

/**
 * What gatefold is held to against float64; TensorFlow.js, on `Math.tanh` and `Math.exp`, stays
 * within 2e-7 of it.
 */
const OUTPUT_TOLERANCE = 2e-6;
/** Gradients are sums over more terms; the largest difference seen is 6e-7. */
const GRADIENT_TOLERANCE = 5e-6;

const TRAINING_CASES = 4;
const UPDATES = 10;

/**
 * It has neither the GRU of Keras and PyTorch, nor peepholes, nor coupled gates, nor independent
 * units.
 */
const forms = Object.entries(cellForms).filter(
  ([, form]) =>
    form.type !== 'indrnn' && form.type !== 'mingru' && !missingInTfjs(form as RecurrentLayer),
);

/**
 * Both have the same formulas; `eps` is large enough for a gradient of nothing but rounding errors
 * not to become a whole step.
 */
const OPTIMIZERS = {
  sgd: {
    tolerance: { loss: OUTPUT_TOLERANCE, parameter: GRADIENT_TOLERANCE },
    ours: { type: 'sgd', lr: 0.1 },
    theirs: () => tf.train.sgd(0.1),
  },
  // TensorFlow.js takes 1 - beta2^u in float32, where it is 6e-5 off at first, and with it the ten
  // steps of 0.01.
  adam: {
    tolerance: { loss: 1e-5, parameter: 1e-5 },
    ours: { type: 'adam', lr: 0.01, betas: [0.9, 0.999], eps: 1e-4 },
    theirs: () => tf.train.adam(0.01, 0.9, 0.999, 1e-4),
  },
} as const;
const optimizers = Object.keys(OPTIMIZERS) as (keyof typeof OPTIMIZERS)[];

/** gatefold's side of `trainInTfjs`. */
function train(
  engine: Engine,
  problem: PeerProblem,
  optimizer: keyof typeof OPTIMIZERS,
): TfjsTraining {
  const { steps, batch, lengths } = problem.dims;
  const model = createModel(engine, problem);
  const trainer = Trainer.create(model, {
    steps,
    batch,
    loss: 'mse',
    optimizer: OPTIMIZERS[optimizer].ours,
  });
  const x = Float32Array.from(problem.input);
  const target = Float32Array.from(problem.doutput);
  const losses = Array.from(
    { length: UPDATES },
    () => trainer.trainOn(x, target, { lengths }).loss,
  );
  const parameters = arraysOf(model.stateDict());
  trainer.dispose();
  model.dispose();
  return { losses, parameters };
}

describe('TensorFlow.js', () => {
  let engines: Engine[];
  const worst = { output: 0, gradient: 0, loss: 0, parameter: 0 };
  beforeAll(async () => {
    await prepareTfjs();
    engines = variants.map((variant) => createEngine(variant));
  });
  afterAll(() => {
    engines.forEach((engine) => engine.dispose());
    console.info('worst errors against TensorFlow.js:', worst);
  });

  function check(
    what: keyof typeof worst,
    label: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    tolerance: number,
  ): void {
    const error = maxError(actual, expected);
    expect(error, `${what}, ${label}`).toBeLessThan(tolerance);
    worst[what] = Math.max(worst[what], error);
  }

  it.each(forms)(
    `%s: outputs and gradients of ${CASES_PER_FORM} random models`,
    { timeout: 60_000 },
    (_, form) => {
      for (let seed = 1; seed <= CASES_PER_FORM; seed++) {
        const problem = createPeerProblem(form, seed, LIMITS);
        const theirs = differentiateInTfjs(problem);
        for (const engine of engines) {
          const label = `${engine.variant}, ${describeProblem(problem, seed)}`;
          const ours = differentiate(engine, problem);
          check('output', label, ours.output, theirs.output, OUTPUT_TOLERANCE);
          theirs.states.forEach((state, i) =>
            check('output', `${label}: state ${i}`, ours.states[i]!, state, OUTPUT_TOLERANCE),
          );
          expect([...ours.gradients.keys()].sort()).toEqual([...theirs.gradients.keys()].sort());
          for (const [name, gradient] of theirs.gradients) {
            const what = `${label}: ${name}`;
            check('gradient', what, ours.gradients.get(name)!, gradient, GRADIENT_TOLERANCE);
          }
        }
      }
      expect(tf.memory().numTensors, 'tensors left over').toBe(0);
    },
  );

  const courses = forms.flatMap(([name, form]) =>
    optimizers.map((optimizer) => [name, optimizer, form] as const),
  );
  it.each(courses)(
    `%s, %s: ${UPDATES} windows of training on the mean squared error, state carried over`,
    { timeout: 60_000 },
    (_, optimizer, form) => {
      for (let seed = 101; seed <= 100 + TRAINING_CASES; seed++) {
        // TensorFlow.js has one bias where gatefold trains two, which doubles the step of their
        // sum: without biases the two train the same function.
        const whole = createPeerProblem(form, seed, LIMITS, { bias: false });
        const problem = seed % 2 ? whole : withLengths(whole, seed);
        const theirs = trainInTfjs(problem, UPDATES, OPTIMIZERS[optimizer].theirs());
        for (const engine of engines) {
          const label = `${engine.variant}, ${describeProblem(problem, seed)}`;
          const ours = train(engine, problem, optimizer);
          const { tolerance } = OPTIMIZERS[optimizer];
          check('loss', label, ours.losses, theirs.losses, tolerance.loss);
          for (const [name, expected] of theirs.parameters) {
            const what = `${label}: ${name}`;
            check('parameter', what, ours.parameters.get(name)!, expected, tolerance.parameter);
          }
        }
      }
    },
  );
});
