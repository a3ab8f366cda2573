/**
 * Products with weights of 8 bits, written from the formula of `Model.quantize`. Scales and
 * roundings are those of float32 numbers (`Math.fround` after every operation), sums of whole
 * numbers are exact.
 *
 *     an outlier, from K = 512 on: where the most |W[j, k]| / sum over j of |W[j, k]| of a row is
 *     more than 4 times the next, W is 0 for all that follows, and fround(W x) is added at the end
 *     f = fround(max over j of |W[j, k]| / max |W|), at least 2^-30
 *     Q = fround(W[j, k] / f[k])          y = fround(x[k] f[k])
 *     s = fround(max |Q[j, k]| / 127)     w = round(fround(Q[j, k] / s))     W' = s f w
 *     u = fround(max |y[k]| / L)     v = round(fround(y[k] * fround(L / max |y[k]|)))
 *     x' = u v / f
 *     L = min(8191, floor((2^31 - 1) / (128 K)))     halves are rounded to the even neighbour;
 *     a row whose largest number is below 1e-30 is 0; infinite y are v = L beside u of the largest
 *     float32
 */
import type { Vec } from './math.ts';

const TINY = Math.fround(1e-30);
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;

function roundToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

interface Matrix {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
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
  const top = Math.min(largest(x), MAX_FLOAT);
  if (top < TINY) return { scale: 0, whole: x.map(() => 0) };
  const inverse = Math.fround(limit / top);
  const whole = x.map((value) =>
    roundToEven(Math.max(-limit, Math.min(Math.fround(value * inverse), limit))),
  );
  return { scale: Math.fround(top / limit), whole };
}

/** The place of the outlier of every row, or -1. */
export function outliersOf({ shape, data }: Matrix): number[] {
  const columns = shape[1]!;
  const rows = Array.from({ length: data.length / columns }, (_, j) =>
    Array.from({ length: columns }, (__, k) => Math.abs(data[j * columns + k]!)),
  );
  const sums = Array.from({ length: columns }, (_, k) =>
    rows.reduce((sum, row) => sum + row[k]!, 0),
  );
  return rows.map((row) => {
    const sizes = row.map((value, k) => value / (sums[k]! || 1));
    const [first = 0, second = 0] = [...sizes].sort((a, b) => b - a);
    return columns >= 512 && first > 4 * second ? sizes.indexOf(first) : -1;
  });
}

function withoutOutliers(tensor: Matrix): Matrix {
  const places = outliersOf(tensor);
  const columns = tensor.shape[1]!;
  const data = Array.from(tensor.data, (value, at) =>
    places[Math.floor(at / columns)] === at % columns ? 0 : value,
  );
  return { shape: tensor.shape, data };
}

/** The factor of every column of W. */
export function factorsOf(tensor: Matrix): number[] {
  const { shape, data } = withoutOutliers(tensor);
  const columns = shape[1]!;
  const most = Array.from({ length: columns }, () => 0);
  for (let at = 0; at < data.length; at++) {
    most[at % columns] = Math.max(most[at % columns]!, Math.abs(data[at]!));
  }
  const top = Math.max(largest(most), 1e-30);
  return most.map((value) => Math.fround(Math.max(value / top, 2 ** -30)));
}

/** The rows of W, each in its factors. */
export function quantizeMatrix(tensor: Matrix): Quantized[] {
  const factors = factorsOf(tensor);
  const columns = factors.length;
  const { data } = withoutOutliers(tensor);
  return Array.from({ length: data.length / columns }, (_, j) =>
    quantizeWeights(factors.map((factor, k) => Math.fround(data[j * columns + k]! / factor))),
  );
}

/** x f */
export const scaleActivations = (x: ArrayLike<number>, factors: readonly number[]): number[] =>
  factors.map((factor, k) => Math.fround(Math.fround(x[k]!) * factor));

/** How a matrix sees its inputs: x'. */
export function roundActivations(tensor: Matrix): (x: Vec) => Vec {
  const factors = factorsOf(tensor);
  return (x) => {
    const { scale, whole } = quantizeActivations(scaleActivations(x, factors));
    return Float64Array.from(whole, (v, k) => (scale * v) / factors[k]!);
  };
}

/** W' of W */
export function roundWeights(tensor: Matrix): Vec {
  const factors = factorsOf(tensor);
  const places = outliersOf(tensor);
  const columns = factors.length;
  return Float64Array.from(
    quantizeMatrix(tensor).flatMap(({ scale, whole }, j) =>
      whole.map((w, k) =>
        places[j] === k ? tensor.data[j * columns + k]! : w * Math.fround(scale * factors[k]!),
      ),
    ),
  );
}
