/**
 * Every 15th float32 of both signs: a stride without a factor of two, so that all patterns of low
 * bits occur.
 */
import { afterAll, describe, expect, it } from 'vitest';
import {
  aboveHalf,
  activationsOf,
  randomRuns,
  requireMonotone,
  SIGMOID_ERROR,
  TANH_ULP,
  worstSigmoid,
  worstTanh,
} from '../support/activations.ts';
import { createEngine, variants } from '../support/engines.ts';
import { ascending } from '../support/floats.ts';

const STRIDE = 15;
const FINITE = 0x7f800000;
const PIECE = 1 << 20;

describe.each(variants)('activations, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  const { tanh, sigmoid } = activationsOf(engine);
  afterAll(() => engine.dispose());

  it('errors over 286 million numbers', { timeout: 600_000 }, () => {
    let [worstUlp, worstAbsolute] = [0, 0];
    for (const sign of [0, 0x80000000]) {
      for (let bits = 0; bits < FINITE; bits += PIECE * STRIDE) {
        const x = ascending(
          sign + bits,
          Math.min(PIECE, Math.ceil((FINITE - bits) / STRIDE)),
          STRIDE,
        );
        worstUlp = Math.max(worstUlp, worstTanh(tanh, x).error);
        worstAbsolute = Math.max(worstAbsolute, worstSigmoid(sigmoid, x).error);
        // Negative numbers come in the order of their bits: descending.
        const rising = sign ? x.reverse() : x;
        requireMonotone('sigmoid', sigmoid, rising);
        requireMonotone('tanh', tanh, aboveHalf(rising));
      }
    }
    console.log(`${variant}: tanh ${worstUlp} ULP, sigmoid ${worstAbsolute}`);
    expect(worstUlp).toBeLessThanOrEqual(TANH_ULP);
    expect(worstAbsolute).toBeLessThanOrEqual(SIGMOID_ERROR);
  });

  it('both are monotone over 100 million neighbours', { timeout: 600_000 }, () => {
    for (const run of randomRuns(1600, 65536, 90, 4)) {
      requireMonotone('sigmoid', sigmoid, run);
      requireMonotone('tanh', tanh, aboveHalf(run));
    }
  });
});
