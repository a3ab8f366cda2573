/**
 * Random layers in gatefold, in onnxruntime-web, and in the float64 reference, which is so checked
 * by an independent hand too.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/hosts/default.ts';
import { forward } from '../reference/network.ts';
import { createEngine, variants } from '../support/engines.ts';
import { toModelState } from '../support/product.ts';
import { createModel } from './gatefold.ts';
import { onnxForms, runOnnxruntime } from './onnxruntime.ts';
import { createPeerProblem, describeProblem, maxError, type Limits } from './problems.ts';

const CASES_PER_FORM = 12;
const LIMITS: Limits = { maxInputSize: 70, maxHiddenSize: 70, steps: [1, 24] };

/**
 * onnxruntime's tanh and sigmoid are rational approximations with errors of 3.7e-7 and 2e-7, and
 * gatefold is held to 2e-6 of the float64 reference. onnxruntime alone stays within 6e-7 of it on
 * these layers.
 */
const TOLERANCE = 3e-6;

describe('onnxruntime-web', () => {
  let engines: Engine[];
  const worst = { baseline: 0, relaxed: 0 };
  beforeAll(() => {
    engines = variants.map((variant) => createEngine(variant));
  });
  afterAll(() => {
    engines.forEach((engine) => engine.dispose());
    console.info('worst errors against onnxruntime-web:', worst);
  });

  it.each(onnxForms)(
    `%s: ${CASES_PER_FORM} random models`,
    { timeout: 60_000 },
    async (_, form) => {
      for (let seed = 1; seed <= CASES_PER_FORM; seed++) {
        const problem = createPeerProblem(form, seed, LIMITS);
        const { description, parameters, input, dims, initial, name } = problem;
        const label = describeProblem(problem, seed);
        const theirs = await runOnnxruntime(problem);
        const compare = (output: ArrayLike<number>, h: ArrayLike<number>, c: ArrayLike<number>) =>
          Math.max(maxError(output, theirs.output), maxError(h, theirs.h), maxError(c, theirs.c));

        const reference = forward(description, parameters, input, dims, initial);
        const { h, c } = reference.state[name]!;
        expect(compare(reference.output, h, c), `reference, ${label}`).toBeLessThan(TOLERANCE);

        for (const engine of engines) {
          const model = createModel(engine, problem);
          const { output, state } = model.forward(Float32Array.from(input), {
            ...dims,
            state: toModelState(initial),
          });
          model.dispose();
          const error = compare(output, state[name]!.h, state[name]!.c ?? []);
          expect(error, `${engine.variant}, ${label}`).toBeLessThan(TOLERANCE);
          worst[engine.variant] = Math.max(worst[engine.variant], error);
        }
      }
    },
  );
});
