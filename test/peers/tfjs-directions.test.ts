/**
 * Random layers in gatefold and in TensorFlow.js: masks, which repeat the last output,
 * `goBackwards`, `Bidirectional` with every merge mode, and its activations; outputs, states and
 * all gradients.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/hosts/default.ts';
import { solved } from '../support/agreement.ts';
import { cellForms, recurrentLayer, type CellForm } from '../support/cells.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createProblem } from '../support/problem.ts';
import { roundProblem } from '../support/product.ts';
import { createRandom } from '../support/random.ts';
import type { RecurrentLayer } from './gates.ts';
import { differentiate } from './gatefold.ts';
import { describeProblem, maxError, withLengths, type PeerProblem } from './problems.ts';
import { missingInTfjs, tfjsActivations } from './tfjs-layer.ts';
import { differentiateInTfjs, prepareTfjs } from './tfjs.ts';

const CASES = 6;
/** As in tfjs.test.ts, and for the same reasons. */
const OUTPUT_TOLERANCE = 2e-6;
const GRADIENT_TOLERANCE = 5e-6;

const MANNERS = {
  forward: {},
  goBackwards: { direction: 'backward' },
  concat: { bidirectional: true, merge: 'concat' },
  sum: { bidirectional: true, merge: 'sum' },
  ave: { bidirectional: true, merge: 'ave' },
  mul: { bidirectional: true, merge: 'mul' },
} as const;
const manners = Object.keys(MANNERS) as (keyof typeof MANNERS)[];
const forms = Object.entries(cellForms).filter(
  ([, form]) =>
    form.type !== 'indrnn' && form.type !== 'mingru' && !missingInTfjs(form as RecurrentLayer),
);

/** Every second one masked, every third with other activations. */
function createCase(form: CellForm, manner: keyof typeof MANNERS, seed: number): PeerProblem {
  const random = createRandom(seed);
  const hiddenSize = random.integer(1, 12);
  // Keras has one activation for the candidate and for the cell state.
  const [gate, other] = [random.pick(tfjsActivations), random.pick(tfjsActivations)];
  const activations = {
    rnn: [gate],
    gru: [gate, other],
    lstm: [gate, other, other],
    indrnn: [],
    mingru: [],
  };
  const spec = recurrentLayer(
    form,
    { inputSize: random.integer(1, 12), hiddenSize, bias: seed % 4 !== 0 },
    { ...MANNERS[manner], ...(seed % 3 ? {} : { activations: activations[form.type] }) },
  ) as RecurrentLayer;
  // TensorFlow.js cannot differentiate a sequence of one step.
  const dims = { steps: random.integer(2, 9), batch: random.integer(1, 4) };
  const problem = createProblem({ layers: [spec] }, dims, random, {
    scale: (columns) => 1 / Math.sqrt(columns === 1 ? hiddenSize : columns),
  });
  const whole = { ...roundProblem(problem), spec, name: spec.type };
  if (seed % 2 === 0) return whole;
  const masked = withLengths(whole, seed);
  return { ...masked, dims: { ...masked.dims, padding: 'repeat' } };
}

/** [T, B, O], and zero behind the valid steps. */
function valid(x: ArrayLike<number>, { dims }: PeerProblem): Float64Array {
  const { steps, batch, lengths } = dims;
  const width = x.length / (steps * batch);
  return Float64Array.from(x, (value, k) => {
    const row = Math.floor(k / width);
    return Math.floor(row / batch) < (lengths?.[row % batch] ?? steps) ? value : 0;
  });
}

describe('masks and directions in TensorFlow.js', () => {
  let engines: Engine[];
  const worst = { output: 0, gradient: 0, models: 0 };
  beforeAll(async () => {
    await prepareTfjs();
    engines = variants.map((variant) => createEngine(variant));
  });
  afterAll(() => {
    engines.forEach((engine) => engine.dispose());
    console.info('worst errors of masks and directions against TensorFlow.js:', worst);
  });

  function check(
    what: 'output' | 'gradient',
    label: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
  ): void {
    const error = maxError(actual, expected);
    const tolerance = what === 'output' ? OUTPUT_TOLERANCE : GRADIENT_TOLERANCE;
    expect(error, `${what}, ${label}`).toBeLessThan(tolerance);
    worst[what] = Math.max(worst[what], error);
  }

  describe.each(forms)('%s', (_, form) => {
    it.each(manners)(`%s: ${CASES} models`, { timeout: 60_000 }, (manner) => {
      for (let seed = 1, left = CASES; left > 0; seed++) {
        const drawn = createCase(form, manner, seed);
        if (!solved(drawn)) continue;
        left--;
        // Reading backwards it has the initial state where gatefold has zeros or repeats: those
        // outputs are left out.
        const wholly = manner === 'forward';
        const problem = wholly ? drawn : { ...drawn, doutput: valid(drawn.doutput, drawn) };
        const theirs = differentiateInTfjs(problem);
        for (const engine of engines) {
          const label = `${engine.variant}, ${describeProblem(problem, seed)}`;
          const ours = differentiate(engine, problem);
          const [got, wanted] = [ours.output, theirs.output].map((output) =>
            wholly ? output : valid(output, problem),
          );
          check('output', label, got!, wanted!);
          theirs.states.forEach((state, i) => check('output', label, ours.states[i]!, state));
          expect([...ours.gradients.keys()].sort()).toEqual([...theirs.gradients.keys()].sort());
          for (const [name, gradient] of theirs.gradients) {
            check('gradient', `${label}: ${name}`, ours.gradients.get(name)!, gradient);
          }
        }
        worst.models++;
      }
      expect(tf.memory().numTensors, 'tensors left over').toBe(0);
    });
  });
});
