/**
 * The float64 reference against central differences, at PyTorch's gradcheck defaults (eps 1e-6,
 * atol 1e-5, rtol 1e-3): the gradients that other suites trust are proved here.
 */
import { describe, expect, it } from 'vitest';
import { cellForms, recurrentLayer } from '../support/cells.ts';
import {
  createTally,
  describeGradcheck,
  EPS,
  gradcheck,
  RTOL,
  smallProblem,
} from '../support/gradcheck.ts';
import { createProblem, gradientsOf, lossOf } from '../support/problem.ts';
import { createRandom } from '../support/random.ts';

/**
 * A directional derivative has less noise than the sum of its terms: far tighter, so that a
 * vanished term shows.
 */
const ATOL_DIRECTION = 1e-7;

describeGradcheck(14, 3);

describe('gradcheck of stacks', () => {
  it('embedding, two recurrent layers of different cells, linear', () => {
    const forms = Object.values(cellForms);
    for (let seed = 0; seed < 20; seed++) {
      const problem = smallProblem(
        (random) => ({
          layers: [
            {
              type: 'embedding',
              numEmbeddings: random.integer(1, 5),
              embeddingDim: 3,
            },
            recurrentLayer(forms[seed % forms.length]!, {
              hiddenSize: random.integer(1, 4),
            }),
            recurrentLayer({ type: 'lstm' }, { hiddenSize: random.integer(1, 4), bias: false }),
            {
              type: 'linear',
              outFeatures: random.integer(1, 4),
              bias: seed % 2 === 0,
            },
          ],
        }),
        seed,
      );
      gradcheck(problem, `stack, seed ${seed}`, createTally(), 20);
    }
  });
});

describe('directional derivatives of the reference at full size', () => {
  for (const [name, form] of Object.entries(cellForms)) {
    it(`${name}: H 64, T 40, two layers`, () => {
      const random = createRandom(7);
      const problem = createProblem(
        {
          layers: [
            recurrentLayer(form, {
              inputSize: 33,
              hiddenSize: 64,
              numLayers: 2,
            }),
            { type: 'linear', outFeatures: 17 },
          ],
        },
        { steps: 40, batch: 2 },
        random,
        { scale: (columns) => 1.5 / Math.sqrt(columns) },
      );
      for (const { name: what, value, gradient } of gradientsOf(problem)) {
        // The step is measured along the direction, so the loss moves by about 1e-6 of a unit step
        // whatever the length.
        const direction = random.vector(value.length, 1);
        const length = Math.hypot(...direction);
        const kept = value.slice();
        const at = (step: number): number => {
          for (let k = 0; k < value.length; k++) {
            value[k] = kept[k]! + (step * direction[k]!) / length;
          }
          return lossOf(problem);
        };
        const numeric = (at(EPS) - at(-EPS)) / (2 * EPS);
        value.set(kept);
        const analytic = gradient.reduce((sum, g, k) => sum + g * direction[k]!, 0) / length;
        const error = Math.abs(numeric - analytic);
        expect(error, `d/d ${what}: ${analytic}, by differences ${numeric}`).toBeLessThanOrEqual(
          ATOL_DIRECTION + RTOL * Math.abs(numeric),
        );
      }
    });
  }
});
