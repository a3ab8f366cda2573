/**
 * Central differences of the float64 reference, at PyTorch's gradcheck defaults.
 */
import { afterAll, describe, expect, it } from 'vitest';
import type { ModelDescription } from '../../src/ops/index.ts';
import { cellForms, recurrentLayer, type CellForm } from './cells.ts';
import { drawStack, SUBJECTS } from './layer-stacks.ts';
import {
  drawCombination,
  drawOptions,
  optionsOf,
  randomLengths,
  type Drawn,
  type Manner,
} from './options.ts';
import { createProblem, gradientsOf, lossOf, solve, type Problem } from './problem.ts';
import { largestMagnitude } from './product.ts';
import { createRandom, type Random } from './random.ts';

export const EPS = 1e-6;
export const ATOL = 1e-5;
export const RTOL = 1e-3;
/**
 * Some activations have no bound; the differences of larger numbers than this are rounding errors.
 */
const LARGEST = 1e3;

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

/** What a campaign has seen: errors in units of what is allowed. */
export interface Tally {
  cases: number;
  /**
   * Cases at a kink, where the derivative jumps, and of large numbers: differences mean nothing
   * there.
   */
  skipped: number;
  elements: number;
  worst: number;
  where: string;
}

export const createTally = (): Tally => ({
  cases: 0,
  skipped: 0,
  elements: 0,
  worst: 0,
  where: 'nowhere',
});

/**
 * Checks every element of every gradient, or of each at most `most` drawn ones, but not where
 * differences mean nothing.
 */
export function gradcheck(
  problem: Problem,
  label: string,
  tally: Tally = createTally(),
  most: number = Infinity,
): void {
  const { output, state, tape } = solve(problem);
  const numbers = [output, ...Object.values(state).flatMap(({ h, c }) => [h, c])];
  if (tape.kink < 100 * EPS || Math.max(...numbers.map(largestMagnitude)) > LARGEST) {
    tally.skipped++;
    return;
  }
  const random = createRandom(tally.cases);
  for (const { name, value, gradient, jumps } of gradientsOf(problem)) {
    expect(gradient.length, `${label}: ${name}`).toBe(value.length);
    for (let n = 0; n < Math.min(most, value.length); n++) {
      const k = value.length <= most ? n : random.integer(0, value.length - 1);
      if (jumps?.(k)) continue;
      const numeric = slope(value, k, () => lossOf(problem));
      const error = Math.abs(numeric - gradient[k]!) / (ATOL + RTOL * Math.abs(numeric));
      if (!(error <= 1)) {
        expect.fail(`${label}: d/d ${name}[${k}] is ${gradient[k]}, by differences ${numeric}`);
      }
      if (error > tally.worst) Object.assign(tally, { worst: error, where: `${label}: ${name}` });
      tally.elements++;
    }
  }
  tally.cases++;
}

export function smallProblem(
  description: (random: Random) => ModelDescription,
  seed: number,
  { training, ragged, padding }: Manner = {},
): Problem {
  const random = createRandom(seed);
  const described = description(random);
  const [steps, batch] = [random.integer(1, 4), random.integer(1, ragged ? 3 : 2)];
  const lengths = ragged ? { lengths: randomLengths(random, steps, batch), padding } : {};
  return createProblem(described, { steps, batch, ...lengths }, random, {
    scale: () => random.pick([0.5, 1, 1.5]),
    training,
  });
}

type Draw = (random: Random, form: CellForm, hiddenSize: number) => Required<Drawn>;

/** One layer of the form with what `draw` gives it, at small sizes. */
function smallCase(form: CellForm, draw: Draw, seed: number): Problem {
  const random = createRandom(seed);
  const hiddenSize = random.integer(1, 4);
  const { layer, manner } = draw(random, form, hiddenSize);
  const sizes = {
    inputSize: random.integer(1, 3),
    hiddenSize,
    numLayers: random.pick([1, 1, 2]),
    bias: random.pick([true, false]),
  };
  const description = { layers: [recurrentLayer(form, sizes, layer)] };
  return smallProblem(() => description, seed, manner);
}

/**
 * Registers `cases` random cases of every form of every cell with every option alone, and twice as
 * many with several at once.
 *
 * @param most derivatives of each gradient and case
 */
export function describeGradcheck(cases: number, most: number = Infinity): void {
  const tally = createTally();
  describe('gradcheck of the reference', () => {
    for (const [name, form] of Object.entries(cellForms)) {
      const check = (what: string, count: number, draw: Draw): void => {
        it(`${name}, ${what}: ${count} random cases`, { timeout: count * 1000 }, () => {
          const before = tally.elements;
          for (let left = count, seed = 1000; left > 0; seed++) {
            const { cases: done } = tally;
            gradcheck(smallCase(form, draw, seed), `${name}, ${what}, seed ${seed}`, tally, most);
            left -= tally.cases - done;
            expect(seed, 'too many cases at kinks').toBeLessThan(1000 + 3 * count);
          }
          expect(tally.elements - before).toBeGreaterThan(10 * count);
        });
      };
      check('no option', cases, () => ({ layer: {}, manner: {} }));
      for (const option of optionsOf(form)) {
        check(option, cases, (random, _, size) => drawOptions(random, form, size, [option]));
      }
      check('all options', cases, (random, _, size) =>
        drawOptions(random, form, size, optionsOf(form)),
      );
      check('combinations', 2 * cases, drawCombination);
    }
  });
  afterAll(() => {
    const { cases: checked, skipped, elements, worst, where } = tally;
    console.log(
      `gradcheck: ${checked} cases, ${elements} derivatives; ${skipped} more cases left out, at kinks or beyond ${LARGEST}\n` +
        `  worst error ${worst.toExponential(2)} of what is allowed, ${where}`,
    );
  });
}

/** The same for `cases` random models about each kind of layer. */
export function describeLayerGradcheck({ cases, most }: { cases: number; most: number }): void {
  describe('gradcheck of the layers of the reference', () => {
    for (const subject of SUBJECTS) {
      it(`${subject}: ${cases} random models`, { timeout: cases * 1000 }, () => {
        const tally = createTally();
        for (let seed = 1; tally.cases < cases; seed++) {
          const random = createRandom(seed);
          const ragged = random.unit() < 0.5;
          const steps = random.integer(1, 6);
          const width = (own: Random): number => own.integer(1, 4);
          const description = drawStack(random, subject, { steps, width, withOptions: true });
          const batch = random.integer(1, 3);
          const lengths = ragged ? { lengths: randomLengths(random, steps, batch) } : {};
          const padding = random.pick(['zero', 'repeat'] as const);
          const problem = createProblem(
            description,
            { steps, batch, padding, ...lengths },
            random,
            {
              training: random.unit() < 0.5,
            },
          );
          const label = `seed ${seed}, ${JSON.stringify(description)}`;
          // Differences of nearly equal numbers, normalised, are steep.
          if (solve(problem).tape.spread > 0.05) gradcheck(problem, label, tally, most);
          expect(seed, 'too many cases at kinks').toBeLessThan(4 * cases);
        }
        expect(tally.elements).toBeGreaterThan(10 * cases);
      });
    }
  });
}
