import { UNKNOWN } from '../data.ts';

/** ln 2 in two parts, so that `x - k * ln 2` keeps its low bits (Cody and Waite; the split of fdlibm's e_exp.c). */
const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;
const TERMS = 14;

/**
 * exp(x) for x <= 0, within a few units in the last place. `Math.exp` differs between JavaScript engines; sums and products of doubles
 * do not, so a seed writes the same text everywhere.
 */
export function exactExp(x: number): number {
  const halvings = Math.round(-x / Math.LN2);
  if (halvings > 1000) return 0;
  const r = x + halvings * LN2_HIGH + halvings * LN2_LOW;
  let sum = 1;
  for (let n = TERMS; n > 0; n--) sum = 1 + (r / n) * sum;
  for (let i = 0; i < halvings; i++) sum /= 2;
  return sum;
}

/**
 * Draws a token from softmax(logits / temperature) with `uniform` in [0, 1); temperature 0 takes the likeliest. Never `UNKNOWN`, which
 * has no character to write.
 */
export function drawToken(logits: Float32Array, temperature: number, uniform: number): number {
  let best = UNKNOWN + 1;
  for (let token = best; token < logits.length; token++) {
    if (logits[token]! > logits[best]!) best = token;
  }
  if (temperature === 0) return best;
  const weights = Float64Array.from(logits, (logit) =>
    exactExp((logit - logits[best]!) / temperature),
  );
  weights[UNKNOWN] = 0;
  let left = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  for (let token = UNKNOWN + 1; token < weights.length; token++) {
    left -= weights[token]!;
    if (left < 0) return token;
  }
  return best;
}
