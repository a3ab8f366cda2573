/**
 * Products with weights of 8 bits, written from the formula of `Model.quantize`. Scales and
 * roundings are those of float32 numbers (`Math.fround` after every operation), sums of whole
 * numbers are exact.
 *
 *     s = fround(max |W[j, k]| / 127)     w = round(fround(W[j, k] / s))     W' = s w
 *     u = fround(max |x[k]| / L)          v = round(fround(x[k] * fround(L / max |x[k]|)))     x' = u v
 *     L = min(8191, floor((2^31 - 1) / (128 K)))     halves are rounded to the even neighbour; a row whose largest number is below 1e-30 is 0
 */
import type { Vec } from './math.ts';

const TINY = Math.fround(1e-30);

function roundToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

export interface Quantized {
  readonly scale: number;
  readonly whole: number[];
}

const largest = (x: ArrayLike<number>): number =>
  Array.from(x).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** One row of weights. */
export function quantizeWeights(row: ArrayLike<number>): Quantized {
  const top = largest(row);
  const scale = top < TINY ? 0 : Math.fround(top / 127);
  const whole = Array.from(row, (value) =>
    scale === 0 ? 0 : roundToEven(Math.fround(value / scale)),
  );
  return { scale, whole };
}

/** One row of activations. */
export function quantizeActivations(row: ArrayLike<number>): Quantized {
  const x = Array.from(row, Math.fround);
  const limit = Math.min(8191, Math.floor((2 ** 31 - 1) / (128 * x.length)));
  const top = largest(x);
  if (top < TINY) return { scale: 0, whole: x.map(() => 0) };
  const inverse = Math.fround(limit / top);
  const whole = x.map((value) => roundToEven(Math.fround(value * inverse)));
  return { scale: Math.fround(top / limit), whole };
}

/** x' */
export function roundActivations(x: Vec): Vec {
  const { scale, whole } = quantizeActivations(x);
  return Float64Array.from(whole, (v) => scale * v);
}

/** W' of W */
export function roundWeights({ shape, data }: { shape: readonly number[]; data: Vec }): Vec {
  const rounded = new Float64Array(data.length);
  const columns = shape[1]!;
  for (let at = 0; at < data.length; at += columns) {
    const { scale, whole } = quantizeWeights(data.subarray(at, at + columns));
    rounded.set(
      whole.map((w) => scale * w),
      at,
    );
  }
  return rounded;
}
