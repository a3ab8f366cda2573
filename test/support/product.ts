/**
 * The bridge between the float64 reference and the product: the same numbers, rounded to float32
 * once, on both sides.
 */
import type { ModelState, StateDict } from '../../src/base/tensor.ts';
import type { ModelDescription } from '../../src/ops/index.ts';
import { inputsOf } from '../reference/layers.ts';
import type { Vec } from '../reference/math.ts';
import type { Parameters, State } from '../reference/network.ts';
import type { Problem } from './problem.ts';

/** Rounds every number of the problem to float32, in place. */
export function roundProblem(problem: Problem): Problem {
  const states = [problem.initial, problem.dstate].flatMap((state) => Object.values(state));
  const parameters = [...problem.parameters.values()].map(({ data }) => data);
  const arrays = [...parameters, problem.input, problem.doutput];
  for (const { h, c } of states) arrays.push(h, c);
  for (const array of arrays) array.set(Float32Array.from(array));
  return problem;
}

export function toStateDict(parameters: Parameters): StateDict {
  return new Map(
    [...parameters].map(([name, { shape, data }]) => [
      name,
      { shape, data: Float32Array.from(data) },
    ]),
  );
}

export function toParameters(tensors: StateDict): Parameters {
  return new Map(
    [...tensors].map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]),
  );
}

export function toModelState(state: State): ModelState {
  return Object.fromEntries(
    Object.entries(state).map(([name, { h, c }]) => [
      name,
      c.length ? { h: Float32Array.from(h), c: Float32Array.from(c) } : { h: Float32Array.from(h) },
    ]),
  );
}

/** Tokens for a model that begins with an embedding, else features. */
export function toInput(problem: Problem): Float32Array | Int32Array {
  return problem.description.layers[0]!.type === 'embedding'
    ? Int32Array.from(problem.input)
    : Float32Array.from(problem.input);
}

/** What the product takes: several inputs by name, out of features that are side by side. */
export function toInputs<A extends Float32Array | Int32Array>(
  description: ModelDescription,
  x: A,
): A | Record<string, A> {
  const inputs = inputsOf(description);
  if (!inputs.length) return x;
  const width = inputs.reduce((sum, { size }) => sum + size, 0);
  let from = 0;
  const entries = inputs.map(({ name, size }) => {
    const start = (from += size) - size;
    const part = x.slice(0, (x.length / width) * size) as A;
    for (let k = 0; k < part.length; k++) {
      part[k] = x[Math.floor(k / size) * width + start + (k % size)]!;
    }
    return [name, part] as const;
  });
  return Object.fromEntries(entries);
}

/** Such features side by side again. */
export function joinInputs(
  description: ModelDescription,
  parts: Readonly<Record<string, Float32Array>>,
): Float32Array {
  const inputs = inputsOf(description);
  if (!inputs.length) return Object.values(parts)[0]!;
  const rows = parts[inputs[0]!.name]!.length / inputs[0]!.size;
  const all: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (const { name, size } of inputs) {
      all.push(...parts[name]!.subarray(row * size, (row + 1) * size));
    }
  }
  return Float32Array.from(all);
}

/** [T, B, width] to [B, T, width], or back when called with T and B swapped. */
export function swapTimeAndBatch<A extends Float32Array | Int32Array>(
  x: A,
  steps: number,
  batch: number,
): A {
  const width = x.length / (steps * batch);
  const swapped = x.slice() as A;
  for (let t = 0; t < steps; t++) {
    for (let b = 0; b < batch; b++) {
      const row = x.subarray((t * batch + b) * width, (t * batch + b + 1) * width);
      swapped.set(row, (b * steps + t) * width);
    }
  }
  return swapped;
}

/** Largest |actual - expected|; NaN in either makes it NaN. */
export function largestError(actual: ArrayLike<number>, expected: Vec): number {
  if (actual.length !== expected.length) {
    throw new Error(`length ${actual.length}, expected ${expected.length}`);
  }
  let largest = 0;
  for (let k = 0; k < expected.length; k++) {
    const error = Math.abs(actual[k]! - expected[k]!);
    if (!(error <= largest)) largest = error;
  }
  return largest;
}

export function largestMagnitude(x: ArrayLike<number>): number {
  let largest = 0;
  for (let k = 0; k < x.length; k++) largest = Math.max(largest, Math.abs(x[k]!));
  return largest;
}
