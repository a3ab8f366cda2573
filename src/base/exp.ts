const LOG2_E = 1.4426950408889634;
/** ln 2 in two parts; any whole number of 21 bits times the first is exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
/** 1 / n! from n = 13 on down: for |r| <= ln(2) / 2 the rest of the series is below 2^-57. */
const SERIES = [
  1 / 6227020800,
  1 / 479001600,
  1 / 39916800,
  1 / 3628800,
  1 / 362880,
  1 / 40320,
  1 / 5040,
  1 / 720,
  1 / 120,
  1 / 24,
  1 / 6,
  1 / 2,
  1,
  1,
];
/** 2^30 */
const TWO_30 = 0x40000000;
/** Below it e^x is below half of the smallest float32. */
const LEAST = -104;

/**
 * `exp(x)` for x <= 0, within 2 units in the last place of float64; 0 below -104. `Math.exp` has
 * other bits in other JavaScript engines; sums, products and quotients have the same in all.
 */
export function expNegative(x: number): number {
  if (x < LEAST) return 0;
  const k = Math.round(x * LOG2_E);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let sum = 0;
  for (let i = 0; i < SERIES.length; i++) sum = SERIES[i]! + r * sum;
  let halvings = -k;
  for (; halvings > 30; halvings -= 30) sum /= TWO_30;
  return sum / (1 << halvings);
}
