/**
 * Probabilities of one row x of n numbers, and their logarithms:
 *
 *     p_j = e^(beta x_j) / sum_k e^(beta x_k)
 *     dL/dx_j = beta sum_k dL/dp_k p_k ([k = j] - p_j)        dL/dx_j = beta sum_k dL/dlog p_k ([k = j] - p_j)
 */
import type { Vec } from './math.ts';

export function softmax(x: Vec, beta = 1): Vec {
  const high = Math.max(...x);
  const powers = x.map((value) => Math.exp(beta * (value - high)));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

export function logSoftmax(x: Vec, beta = 1): Vec {
  const high = Math.max(...x);
  const total = x.reduce((sum, value) => sum + Math.exp(beta * (value - high)), 0);
  return x.map((value) => beta * (value - high) - Math.log(total));
}

/** dx from dy, for the Jacobian dy_k/dx_j = beta factor_k ([k = j] - p_j). */
function backward(x: Vec, dy: Vec, beta: number, factor: (p: number) => number): Vec {
  const p = softmax(x, beta);
  return p.map((own, j) =>
    dy.reduce((sum, d, k) => sum + beta * d * factor(p[k]!) * (Number(k === j) - own), 0),
  );
}

export const softmaxBackward = (x: Vec, dy: Vec, beta = 1): Vec => backward(x, dy, beta, (p) => p);
export const logSoftmaxBackward = (x: Vec, dy: Vec, beta = 1): Vec =>
  backward(x, dy, beta, () => 1);
