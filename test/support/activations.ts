import { Kernels } from '../../src/kernels/primitives.ts';
import type { Engine } from '../../src/hosts/default.ts';
import { fromBits, neighbours, ulp } from './floats.ts';
import { createRandom } from './random.ts';

const CHUNK = 1 << 16;
export const TANH_ULP = 3;
export const SIGMOID_ERROR = 4e-7;

export type Activation = (x: Float32Array) => Float32Array;

/** The activations of an engine over arrays of any length. */
export function activationsOf(engine: Engine): { tanh: Activation; sigmoid: Activation } {
  const kernels = Kernels.create(engine);
  const inChunks =
    (f: Activation): Activation =>
    (x) => {
      const y = new Float32Array(x.length);
      for (let k = 0; k < x.length; k += CHUNK) y.set(f(x.subarray(k, k + CHUNK)), k);
      return y;
    };
  return {
    tanh: inChunks((x) => kernels.tanh(x)),
    sigmoid: inChunks((x) => kernels.sigmoid(x)),
  };
}

/** Largest error of `tanh` on x in ULP of the result, and where. */
export function worstTanh(tanh: Activation, x: Float32Array): { error: number; at: number } {
  const y = tanh(x);
  const worst = { error: 0, at: 0 };
  for (let k = 0; k < x.length; k++) {
    const exact = Math.tanh(x[k]!);
    const error = Math.abs(y[k]! - exact) / ulp(exact);
    if (!(error <= worst.error)) Object.assign(worst, { error, at: x[k]! });
    if (Number.isNaN(error)) break;
  }
  return worst;
}

/**
 * Errors of the slope 1 - y^2 that follows from a tanh y, by those of the rounded tanh: the largest
 * of each on x.
 */
export function slopeRatio(tanh: Activation, x: Float32Array): number {
  const y = tanh(x);
  const worst = { own: 0, rounded: 0 };
  for (let k = 0; k < x.length; k++) {
    const exact = Math.tanh(x[k]!);
    const slope = 1 / Math.cosh(x[k]!) ** 2;
    const errorOf = (value: number): number => Math.abs(1 - value * value - slope);
    worst.own = Math.max(worst.own, errorOf(y[k]!));
    worst.rounded = Math.max(worst.rounded, errorOf(Math.fround(exact)));
  }
  return worst.own / worst.rounded;
}

/** Largest absolute error of `sigmoid` on x, and where. Throws where a value leaves [0, 1]. */
export function worstSigmoid(sigmoid: Activation, x: Float32Array): { error: number; at: number } {
  const y = sigmoid(x);
  const worst = { error: 0, at: 0 };
  for (let k = 0; k < x.length; k++) {
    if (!(y[k]! >= 0 && y[k]! <= 1)) throw new Error(`sigmoid(${x[k]}) is ${y[k]}`);
    const error = Math.abs(y[k]! - 1 / (1 + Math.exp(-x[k]!)));
    if (!(error <= worst.error)) Object.assign(worst, { error, at: x[k]! });
  }
  return worst;
}

/** Those of x whose tanh is above 1/2, by its size. */
export function aboveHalf(x: Float32Array): Float32Array {
  return x.filter((value) => Math.abs(value) > 0.55);
}

/** Throws where f falls on an ascending x. */
export function requireMonotone(name: string, f: Activation, x: Float32Array): void {
  const y = f(x);
  for (let k = 1; k < x.length; k++) {
    if (!(y[k]! >= y[k - 1]!)) {
      throw new Error(`${name}(${x[k - 1]}) = ${y[k - 1]} but ${name}(${x[k]}) = ${y[k]}`);
    }
  }
}

/** Random runs of neighbouring numbers within +-limit, each ascending. */
export function randomRuns(
  count: number,
  length: number,
  limit: number,
  seed: number,
): Float32Array[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    // Half of them spread over the exponents, half over the values.
    const magnitude =
      random.unit() < 0.5
        ? fromBits(random.integer(2 * length, 0x42c80000))
        : random.unit() * limit;
    const x = Math.fround(random.unit() < 0.5 ? -magnitude : magnitude);
    return neighbours(x, length);
  });
}
