/**
 * Recurrent nodes with random attributes in onnxruntime-web: activations with alpha and beta, clip,
 * directions, lengths, peepholes, coupled gates, both GRUs, with and without biases and initial
 * states. Lengths are at least 1: onnxruntime gives a row of length 0 zeros as its last state
 * rather than its initial one.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { drawOptions, type OptionName } from '../support/options.ts';
import { recurrentLayer, type CellForm } from '../support/cells.ts';
import { createEngine, variants } from '../support/engines.ts';
import { createProblem } from '../support/problem.ts';
import { roundProblem, toModelState } from '../support/product.ts';
import { createRandom } from '../support/random.ts';
import { solved, type Solved } from '../support/agreement.ts';
import type { RecurrentLayer } from './gates.ts';
import { createModel } from './gatefold.ts';
import { hasOnnxActivations } from './onnx-layer.ts';
import { onnxForms, runOnnxruntime } from './onnxruntime.ts';
import { describeProblem, maxError, type PeerProblem } from './problems.ts';

const CASES_PER_FORM = 25;
/** As in onnxruntime.test.ts, and for its reason. */
const TOLERANCE = 3e-6;
/** ONNX's attributes as options; each is there or not. */
const OPTIONS: readonly OptionName[] = ['bidirectional', 'backward', 'activations', 'clip'];

interface Case extends PeerProblem {
  /** Whether the node gets initial states; they are zero where not. */
  readonly initialised: boolean;
  /** What the reference makes of it. */
  readonly expected: Solved['expected'];
}

/** Undefined where float32 cannot follow. */
function createCase(form: CellForm, seed: number): Case | undefined {
  const random = createRandom(seed);
  const hiddenSize = random.integer(1, 20);
  const chosen = OPTIONS.filter(() => random.unit() < 0.5);
  let { layer } = drawOptions(random, form, hiddenSize, chosen);
  while (!hasOnnxActivations(layer)) ({ layer } = drawOptions(random, form, hiddenSize, chosen));
  const sizes = { inputSize: random.integer(1, 20), hiddenSize, bias: random.unit() < 0.7 };
  // ONNX leaves the directions apart, which is what concatenation does.
  const merge = layer.bidirectional ? ({ merge: 'concat' } as const) : {};
  const spec = recurrentLayer(form, sizes, { ...layer, ...merge }) as RecurrentLayer;
  const [steps, batch] = [random.integer(1, 12), random.integer(1, 5)];
  const lengths = Int32Array.from({ length: batch }, () => random.integer(1, steps));
  const dims = random.unit() < 0.5 ? { steps, batch, lengths } : { steps, batch };
  const initialised = random.unit() < 0.7;
  const gain = random.pick([0.5, 1]);
  const problem = createProblem({ layers: [spec] }, dims, random, {
    scale: (columns) => gain / Math.sqrt(columns === 1 ? hiddenSize : columns),
    stateScale: initialised ? 1 : 0,
  });
  const exact = solved(roundProblem(problem));
  return (
    exact && { ...exact.problem, spec, name: spec.type, initialised, expected: exact.expected }
  );
}

describe('attributes in onnxruntime-web', () => {
  const engines = variants.map((variant) => createEngine(variant));
  const worst = { reference: 0, baseline: 0, relaxed: 0 };
  const count = { models: 0, skipped: 0 };
  afterAll(() => {
    engines.forEach((engine) => engine.dispose());
    console.info('models with attributes in onnxruntime-web:', count, 'worst errors:', worst);
  });

  it.each(onnxForms)(`%s: ${CASES_PER_FORM} models`, { timeout: 120_000 }, async (_, form) => {
    for (let seed = 1, left = CASES_PER_FORM; left > 0; seed++) {
      const problem = createCase(form, seed);
      if (!problem) {
        count.skipped++;
        continue;
      }
      left--;
      const { dims, input, initial, initialised, name, expected } = problem;
      const theirs = await runOnnxruntime(problem, initialised);
      const label = `${describeProblem(problem, seed)}, lengths ${String(dims.lengths)}`;
      const compare = (
        who: keyof typeof worst,
        output: ArrayLike<number>,
        { h, c = [] }: { h: ArrayLike<number>; c?: ArrayLike<number> },
      ): void => {
        const errors = [
          maxError(output, theirs.output),
          maxError(h, theirs.h),
          maxError(c, theirs.c),
        ];
        expect(Math.max(...errors), `${who}, ${label}`).toBeLessThan(TOLERANCE);
        worst[who] = Math.max(worst[who], ...errors);
      };
      compare('reference', expected.output, expected.state[name]!);
      for (const engine of engines) {
        const model = createModel(engine, problem);
        const x = Float32Array.from(input);
        const { output, state } = model.forward(x, { ...dims, state: toModelState(initial) });
        model.dispose();
        compare(engine.variant, output, state[name]!);
      }
      count.models++;
    }
    expect(count.skipped).toBeLessThan(0.1 * count.models);
  });
});
