/** The kernels of layers that are no cells, forward and backward, against float64. */
import { describe, expect, it } from 'vitest';
import { convBackward, convForward, outputSteps } from '../reference/conv1d.ts';
import type { Vec } from '../reference/math.ts';
import { normBackward, normForward } from '../reference/norm.ts';
import { preluBackward, preluForward } from '../reference/prelu.ts';
import { logSoftmax, logSoftmaxBackward, softmax, softmaxBackward } from '../reference/softmax.ts';
import { createEngine, variants } from '../support/engines.ts';
import { ATOL, RTOL, slope } from '../support/gradcheck.ts';
import {
  activationKinds,
  checkActivation,
  checkConvolution,
  checkLayerNorm,
  checkPrelu,
  checkStream,
  drawConvolution,
} from '../support/layer-kernels.ts';
import { createRandom } from '../support/random.ts';

const RUNS = 20;

describe('the references have the gradients of differences', () => {
  /** L = sum of weight y; each of `values` with its gradient. */
  function requireSlopes(
    y: () => Vec,
    weight: Vec,
    values: readonly (readonly [Vec, Vec])[],
  ): void {
    const loss = (): number => y().reduce((sum, value, k) => sum + weight[k]! * value, 0);
    for (const [value, gradient] of values) {
      value.forEach((_, k) => {
        const error = Math.abs(gradient[k]! - slope(value, k, loss));
        expect(error).toBeLessThan(ATOL + RTOL * Math.abs(gradient[k]!));
      });
    }
  }

  it('conv1d', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = createRandom(seed);
      const c = drawConvolution(random);
      const x = random.vector(random.integer(1, 9) * c.inputs, 1);
      const w = random.vector((c.outputs * c.inputs * c.taps) / c.groups, 1);
      const bias = random.vector(c.outputs, 1);
      const dy = random.vector(outputSteps(c, x.length / c.inputs) * c.outputs, 1);
      const [dw, dBias] = [new Float64Array(w.length), new Float64Array(bias.length)];
      const dx = convBackward(c, w, dw, dBias, x, dy);
      requireSlopes(() => convForward(c, w, bias, x), dy, [
        [x, dx],
        [w, dw],
        [bias, dBias],
      ]);
    }
  });

  it('layer norm, softmax and logSoftmax', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = createRandom(seed);
      const n = random.integer(2, 9);
      const [x, gamma, beta, dy] = [2, 1, 1, 1].map((scale) => random.vector(n, scale)) as [
        Vec,
        Vec,
        Vec,
        Vec,
      ];
      const epsilon = random.pick([1e-5, 1e-3, 0.1]);
      const [dGamma, dBeta] = [new Float64Array(n), new Float64Array(n)];
      const { tape } = normForward(x, gamma, beta, epsilon);
      requireSlopes(() => normForward(x, gamma, beta, epsilon).y, dy, [
        [x, normBackward(tape, gamma, dGamma, dBeta, dy)],
        [gamma, dGamma],
        [beta, dBeta],
      ]);
      const by = random.pick([0.5, 1, 2]);
      requireSlopes(() => softmax(x, by), dy, [[x, softmaxBackward(x, dy, by)]]);
      requireSlopes(() => logSoftmax(x, by), dy, [[x, logSoftmaxBackward(x, dy, by)]]);
    }
  });

  it('prelu', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = createRandom(seed);
      const [rows, n] = [random.integer(1, 4), random.integer(1, 5)];
      const [x, dy] = [random.vector(rows * n, 2), random.vector(rows * n, 1)];
      const slopes = random.vector(seed % 2 ? n : 1, 1);
      const da = new Float64Array(slopes.length);
      const dx = preluBackward(slopes, da, x, dy, n);
      requireSlopes(() => preluForward(slopes, x, n), dy, [
        [x, dx],
        [slopes, da],
      ]);
    }
  });
});

describe.each(variants)('kernels of layers, %s SIMD', (variant) => {
  const engine = createEngine(variant);

  it.each(activationKinds)('%s', (name) => {
    for (let seed = 1; seed <= RUNS; seed++) checkActivation(engine, name, seed);
  });

  it('layer norm', () => {
    for (let seed = 1; seed <= 5 * RUNS; seed++) checkLayerNorm(engine, seed);
  });

  it('prelu', () => {
    for (let seed = 1; seed <= 5 * RUNS; seed++) checkPrelu(engine, seed);
  });

  it('conv1d', () => {
    for (let seed = 1; seed <= 10 * RUNS; seed++) checkConvolution(engine, seed);
  });

  it('conv1d of many inputs, a sequence alone', () => {
    for (let seed = 1; seed <= 3 * RUNS; seed++) checkConvolution(engine, seed, true);
  });

  it('conv1d in a stream has the bits of the whole sequence', () => {
    for (let seed = 1; seed <= 5 * RUNS; seed++) checkStream(engine, seed);
  });
});
