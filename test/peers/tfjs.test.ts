/**
 * Random layers in gatefold and in TensorFlow.js: outputs, all gradients, and training with SGD.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Trainer, type Engine } from '../../src/index.ts';
import type { StateDict } from '../../src/types.ts';
import { cellForms } from '../support/cells.ts';
import { createEngine, variants } from '../support/engines.ts';
import { toModelState } from '../support/product.ts';
import type { RecurrentLayer } from './gates.ts';
import { createModel } from './gatefold.ts';
import {
  createPeerProblem,
  describeProblem,
  maxError,
  type Limits,
  type PeerProblem,
} from './problems.ts';
import { missingInTfjs } from './tfjs-layer.ts';
import {
  differentiateInTfjs,
  prepareTfjs,
  trainInTfjs,
  type TfjsResult,
  type TfjsTraining,
} from './tfjs.ts';

const CASES_PER_FORM = 20;
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

const TRAINING_CASES = 6;
const UPDATES = 10;
const LEARNING_RATE = 0.1;

/** It has neither the GRU of Keras and PyTorch, nor peepholes, nor coupled gates, nor independent units. */
const forms = Object.entries(cellForms).filter(
  ([, form]) => form.type !== 'indrnn' && !missingInTfjs(form as RecurrentLayer),
);

/** gatefold's side of `differentiateInTfjs`. */
function differentiate(engine: Engine, problem: PeerProblem): TfjsResult {
  const { dims, name } = problem;
  const model = createModel(engine, problem);
  const trainer = Trainer.create(model, dims);
  const { output, state } = trainer.forward(Float32Array.from(problem.input), {
    state: toModelState(problem.initial),
  });
  trainer.zeroGradients();
  const backward = trainer.backward({
    output: Float32Array.from(problem.doutput),
    state: toModelState(problem.dstate),
  });
  const gradients = arraysOf(trainer.gradients());
  gradients.set('input', backward.input!);
  const initial = backward.state[name]!;
  gradients.set('initial h', initial.h);
  if (initial.c) gradients.set('initial c', initial.c);
  trainer.dispose();
  model.dispose();
  const { h, c } = state[name]!;
  return { output, states: c ? [h, c] : [h], gradients };
}

/** gatefold's side of `trainInTfjs`. */
function train(engine: Engine, problem: PeerProblem): TfjsTraining {
  const model = createModel(engine, problem);
  const trainer = Trainer.create(model, {
    ...problem.dims,
    loss: 'mse',
    optimizer: { type: 'sgd', lr: LEARNING_RATE },
  });
  const x = Float32Array.from(problem.input);
  const target = Float32Array.from(problem.doutput);
  const losses = Array.from({ length: UPDATES }, () => trainer.step(x, target).loss);
  const parameters = arraysOf(model.stateDict());
  trainer.dispose();
  model.dispose();
  return { losses, parameters };
}

const arraysOf = (tensors: StateDict): Map<string, Float32Array> =>
  new Map([...tensors].map(([name, { data }]) => [name, data]));

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
          const label = `${engine.simd}, ${describeProblem(problem, seed)}`;
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

  it.each(forms)(
    `%s: ${UPDATES} windows of training on the mean squared error, state carried over`,
    { timeout: 60_000 },
    (_, form) => {
      for (let seed = 101; seed <= 100 + TRAINING_CASES; seed++) {
        // TensorFlow.js has one bias where gatefold trains two, which doubles the step of their
        // sum: without biases the two train the same function.
        const problem = createPeerProblem(form, seed, LIMITS, { bias: false });
        const theirs = trainInTfjs(problem, UPDATES, LEARNING_RATE);
        for (const engine of engines) {
          const label = `${engine.simd}, ${describeProblem(problem, seed)}`;
          const ours = train(engine, problem);
          check('loss', label, ours.losses, theirs.losses, OUTPUT_TOLERANCE);
          for (const [name, expected] of theirs.parameters) {
            const what = `${label}: ${name}`;
            check('parameter', what, ours.parameters.get(name)!, expected, GRADIENT_TOLERANCE);
          }
        }
      }
    },
  );
});
