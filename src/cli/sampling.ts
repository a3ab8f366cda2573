import { UNKNOWN } from '../data/text.ts';
import type { Kernels } from '../kernels/index.ts';

/** Below it the likeliest character has all the weight. */
const LEAST_TEMPERATURE = 1e-6;

/**
 * Draws a token from softmax(logits / temperature) with `uniform` in [0, 1); temperature 0 takes
 * the likeliest. Never `UNKNOWN`, which has no character to write. The softmax is the product's
 * own: `Math.exp` has other bits in other JavaScript engines.
 */
export function drawToken(
  kernels: Pick<Kernels, 'softmax'>,
  logits: Float32Array,
  temperature: number,
  uniform: number,
): number {
  const first = UNKNOWN + 1;
  const known = logits.subarray(first);
  let best = 0;
  known.forEach((logit, i) => {
    if (logit > known[best]!) best = i;
  });
  if (temperature < LEAST_TEMPERATURE) return first + best;
  const weights = kernels.softmax(known, temperature);
  let left = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return first + i;
  }
  return first + best;
}
