/**
 * Losses of single rows of outputs y in float64, with their gradient, from the formulas:
 *
 *     cross-entropy   L = w_target (log sum_k exp(y_k) - y_target)   dy = w_target (softmax(y) - onehot(target))
 *     elementwise     L = sum over the elements of f(y, target)      dy = df/dy
 *
 * A mean divides by the weights of all targets: w_target of each class, 1 for each element.
 */
import type { Vec } from './math.ts';

export interface Loss {
  readonly loss: number;
  readonly gradient: Vec;
}

/** The loss of one row, not yet divided, and what it weighs in the mean. */
export type RowLoss = (y: Vec, target: ArrayLike<number>) => Loss & { readonly weight: number };

/** y: [O] logits; target: [1], which weighs nothing where it is `ignored`. */
export function crossEntropyOf(weights?: ArrayLike<number>, ignored?: number): RowLoss {
  return (y, { 0: chosen }) => {
    const weight = chosen === ignored ? 0 : (weights?.[chosen!] ?? 1);
    const largest = y.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = y.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    const loss = weight && weight * (Math.log(sum) + largest - y[chosen!]!);
    const gradient = y.map(
      (logit, k) => weight * (Math.exp(logit - largest) / sum - Number(k === chosen)),
    );
    return { loss, gradient, weight };
  };
}

/** A loss of single elements and its slope. */
function elementsOf(
  f: (x: number, target: number) => number,
  slope: (x: number, target: number) => number,
): RowLoss {
  return (y, target) => ({
    loss: y.reduce((sum, x, k) => sum + f(x, target[k]!), 0),
    gradient: y.map((x, k) => slope(x, target[k]!)),
    weight: y.length,
  });
}

export const squared: RowLoss = elementsOf(
  (x, t) => (x - t) ** 2,
  (x, t) => 2 * (x - t),
);

export const absolute: RowLoss = elementsOf(
  (x, t) => Math.abs(x - t),
  (x, t) => Math.sign(x - t),
);

export function huberOf(delta: number): RowLoss {
  return elementsOf(
    (x, t) => {
      const d = Math.abs(x - t);
      return d <= delta ? d ** 2 / 2 : delta * (d - delta / 2);
    },
    (x, t) => Math.max(-delta, Math.min(delta, x - t)),
  );
}

/** Targets in [0, 1], logits. */
export const binary: RowLoss = elementsOf(
  (x, t) => Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x))),
  (x, t) => 1 / (1 + Math.exp(-x)) - t,
);

/** The mean over rows of `width` outputs, each with `targetWidth` targets. */
export function meanOf(row: RowLoss, width: number, targetWidth: number) {
  return (y: Vec, target: ArrayLike<number>): Loss => {
    const gradient = new Float64Array(y.length);
    let [sum, total] = [0, 0];
    for (let r = 0; r < y.length / width; r++) {
      const own = Array.from({ length: targetWidth }, (_, k) => target[r * targetWidth + k]!);
      const { loss, gradient: slopes, weight } = row(y.subarray(r * width, (r + 1) * width), own);
      gradient.set(slopes, r * width);
      sum += loss;
      total += weight;
    }
    if (total === 0) return { loss: 0, gradient: gradient.fill(0) };
    return { loss: sum / total, gradient: gradient.map((slope) => slope / total) };
  };
}

/** y: [N, O] logits; target: [N] */
export function crossEntropy(y: Vec, target: ArrayLike<number>): Loss {
  return meanOf(crossEntropyOf(), y.length / target.length, 1)(y, target);
}

/** y, target: [N] */
export function mse(y: Vec, target: ArrayLike<number>): Loss {
  return meanOf(squared, 1, 1)(y, target);
}
