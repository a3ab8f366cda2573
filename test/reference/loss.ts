/**
 * Losses over all N rows of an output [N, O], with their gradient with respect to it.
 *
 *     cross-entropy:  L = mean over N of (log sum_k exp(y_k) - y_target)     dy = (softmax(y) - onehot(target)) / N
 *     mse:            L = mean over N*O of (y - target)^2                    dy = 2 (y - target) / (N O)
 */
import type { Vec } from './math.ts';

export interface Loss {
  readonly loss: number;
  readonly gradient: Vec;
}

/** y: [N, O] logits; target: [N] */
export function crossEntropy(y: Vec, target: ArrayLike<number>): Loss {
  const rows = target.length;
  const width = y.length / rows;
  const gradient = new Float64Array(y.length);
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const logits = y.subarray(row * width, (row + 1) * width);
    const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    loss += Math.log(sum) + largest - logits[target[row]!]!;
    for (let k = 0; k < width; k++) {
      const probability = Math.exp(logits[k]! - largest) / sum;
      gradient[row * width + k] = (probability - Number(k === target[row])) / rows;
    }
  }
  return { loss: loss / rows, gradient };
}

export function mse(y: Vec, target: ArrayLike<number>): Loss {
  let loss = 0;
  const gradient = y.map((value, k) => {
    const difference = value - target[k]!;
    loss += (difference * difference) / y.length;
    return (2 * difference) / y.length;
  });
  return { loss, gradient };
}
