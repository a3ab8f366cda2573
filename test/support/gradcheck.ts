/**
 * Central differences of the float64 reference, at PyTorch's gradcheck defaults.
 */
import { describe, expect, it } from 'vitest';
import type { ModelDescription } from '../../src/types.ts';
import { forward } from '../reference/network.ts';
import { cellForms, recurrentLayer } from './cells.ts';
import { createProblem, gradientsOf, lossOf, type Problem } from './problem.ts';
import { distanceToKink } from './product.ts';
import { createRandom, type Random } from './random.ts';

export const EPS = 1e-6;
export const ATOL = 1e-5;
export const RTOL = 1e-3;

/** d loss() / d value[k] by central differences. */
export function slope(value: Float64Array, k: number, loss: () => number): number {
  const kept = value[k]!;
  value[k] = kept + EPS;
  const above = loss();
  value[k] = kept - EPS;
  const below = loss();
  value[k] = kept;
  return (above - below) / (2 * EPS);
}

/** Checks every element of every gradient; returns how many: none where a relu stands at its kink. */
export function gradcheck(problem: Problem, label: string): number {
  const { description, parameters, input, dims, initial } = problem;
  const { tape } = forward(description, parameters, input, dims, initial);
  if (distanceToKink(problem, tape) < 100 * EPS) return 0;
  let checked = 0;
  for (const { name, value, gradient } of gradientsOf(problem)) {
    expect(gradient.length, `${label}: ${name}`).toBe(value.length);
    for (let k = 0; k < value.length; k++) {
      const numeric = slope(value, k, () => lossOf(problem));
      const error = Math.abs(numeric - gradient[k]!);
      if (!(error <= ATOL + RTOL * Math.abs(numeric))) {
        expect.fail(`${label}: d/d ${name}[${k}] is ${gradient[k]}, by differences ${numeric}`);
      }
      checked++;
    }
  }
  return checked;
}

export function smallProblem(
  description: (random: Random) => ModelDescription,
  seed: number,
): Problem {
  const random = createRandom(seed);
  return createProblem(
    description(random),
    { steps: random.integer(1, 5), batch: random.integer(1, 3) },
    random,
    { scale: () => random.pick([0.5, 1, 1.5]) },
  );
}

/** Registers `cases` random cases of every form of every cell, each element of each gradient checked. */
export function describeGradcheck(cases: number): void {
  describe('gradcheck of the reference, element by element', () => {
    for (const [name, form] of Object.entries(cellForms)) {
      it(`${name}: ${cases} random cases`, { timeout: cases * 1000 }, () => {
        let checked = 0;
        for (let n = 0; n < cases; n++) {
          const seed = 1000 + n;
          const problem = smallProblem(
            (random) => ({
              layers: [
                recurrentLayer(form, {
                  inputSize: random.integer(1, 6),
                  hiddenSize: random.integer(1, 6),
                  numLayers: 1 + (n % 2),
                  bias: n % 4 < 2,
                }),
              ],
            }),
            seed,
          );
          checked += gradcheck(problem, `${name}, seed ${seed}`);
        }
        expect(checked).toBeGreaterThan(20 * cases);
      });
    }
  });
}
