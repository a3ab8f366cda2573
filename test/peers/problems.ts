/**
 * Random single-layer problems for the comparison with other frameworks, and how far two results
 * are apart.
 */
import { createProblem, type Problem } from '../support/problem.ts';
import { recurrentLayer, type CellForm } from '../support/cells.ts';
import { roundProblem } from '../support/product.ts';
import { createRandom } from '../support/random.ts';
import type { RecurrentLayer } from './gates.ts';

export interface PeerProblem extends Problem {
  readonly spec: RecurrentLayer;
  /** Of the layer: its parameters and its state carry it. */
  readonly name: string;
}

export interface Limits {
  readonly maxInputSize: number;
  readonly maxHiddenSize: number;
  readonly steps: readonly [least: number, most: number];
}

/** Every number of it is exact in float32, so that all sides compute from the same. */
export function createPeerProblem(
  form: CellForm,
  seed: number,
  limits: Limits,
  fixed: { readonly bias?: boolean } = {},
): PeerProblem {
  const random = createRandom(seed);
  const hiddenSize = random.integer(1, limits.maxHiddenSize);
  const spec = recurrentLayer(form, {
    inputSize: random.integer(1, limits.maxInputSize),
    hiddenSize,
    numLayers: random.pick([1, 1, 2]),
    bias: random.pick([true, true, true, false]),
    ...fixed,
  }) as RecurrentLayer;
  const dims = { steps: random.integer(...limits.steps), batch: random.integer(1, 5) };
  // From timid to well into saturation, but never so large that the recurrence is chaotic: a relu
  // would overflow, and rounding errors would grow with every step whoever computes it.
  const gain = random.pick([0.5, 1, 1.5]);
  const problem = createProblem({ layers: [spec] }, dims, random, {
    scale: (columns) => gain / Math.sqrt(columns === 1 ? hiddenSize : columns),
  });
  return { ...roundProblem(problem), spec, name: spec.type };
}

/** The same with rows of differing lengths, none of them 0. */
export function withLengths(problem: PeerProblem, seed: number): PeerProblem {
  const random = createRandom(seed);
  const { batch, steps } = problem.dims;
  const lengths = Int32Array.from({ length: batch }, () => random.integer(1, steps));
  return { ...problem, dims: { ...problem.dims, lengths } };
}

/** What a failure says of the case. */
export function describeProblem({ spec, dims }: PeerProblem, seed: number): string {
  return `seed ${seed}: ${JSON.stringify(spec)}, T ${dims.steps}, B ${dims.batch}`;
}

/**
 * The largest difference, in units of the largest magnitude of `expected` or of 1 when that is
 * smaller.
 */
export function maxError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0;
  let scale = 1;
  for (let k = 0; k < expected.length; k++) {
    const d = Math.abs(actual[k]! - expected[k]!);
    // Not `Math.max`, so that a NaN on either side counts as infinitely wrong.
    if (!(d <= difference)) difference = Number.isNaN(d) ? Infinity : d;
    scale = Math.max(scale, Math.abs(expected[k]!));
  }
  return difference / scale;
}
