/**
 * Pools of windows over x [T, B, W], one number at a time, x_t = 0 outside of the n valid steps of
 * its row; 0 after the last window:
 *
 *     max:    y_t = max over valid s of t S - left <= s < t S - left + P, its gradient to the first
 *     mean:   y_t = sum of the same x_s / P, or / how many they are
 *     repeat: y_t = x of step floor(t / N)
 *
 * Causal windows of stride 1 see steps before the first too: a state [P - 1, B, W + 1] of the last
 * inputs, each with a number above 0 where the step is there.
 */
import { outputSteps, type Padding } from './conv1d.ts';
import type { Vec } from './math.ts';
import type { Dims } from './stack.ts';

export interface WindowPool {
  readonly mode: 'max' | 'mean';
  readonly size: number;
  readonly stride: number;
  readonly padding: Padding;
  readonly countPadding: boolean;
}

const lengthOf = ({ steps, lengths }: Dims, b: number): number => lengths?.[b] ?? steps;

/** Zeros before the first and after the last of `steps` valid steps. */
function zerosOf({ size, stride, padding }: WindowPool, steps: number): readonly [number, number] {
  if (padding === 'valid') return [0, 0];
  if (padding === 'causal') return [size - 1, 0];
  if (padding !== 'same') return padding;
  const zeros = Math.max(0, (Math.ceil(steps / stride) - 1) * stride + size - steps);
  return [Math.floor(zeros / 2), Math.ceil(zeros / 2)];
}

function outputLength(pool: WindowPool, steps: number): number {
  const [left, right] = zerosOf(pool, steps);
  const same = { inputs: 1, outputs: 1, groups: 1, dilation: 1 };
  const taps = { ...same, taps: pool.size, stride: pool.stride, left, right };
  return steps && outputSteps(taps, steps);
}

function changed(dims: Dims, outputsOf: (steps: number) => number): Dims {
  const { lengths } = dims;
  const steps = outputsOf(dims.steps);
  return lengths ? { ...dims, steps, lengths: Array.from(lengths, outputsOf) } : { ...dims, steps };
}

export const windowPoolDims = (pool: WindowPool, dims: Dims): Dims =>
  changed(dims, (steps) => outputLength(pool, steps));

/** Steps before the first that a pool keeps as its state. */
export const windowPoolHistory = ({ padding, stride, size }: WindowPool): number =>
  padding === 'causal' && stride === 1 ? size - 1 : 0;

const widthOf = (x: Vec, { steps, batch }: Dims): number => x.length / (steps * batch);

/** Where steps are in the state and x side by side; below 0 those of the state. */
function placesIn(pool: WindowPool, x: Vec, dims: Dims, state: Vec) {
  const history = windowPoolHistory(pool);
  const width = widthOf(x, dims);
  const rowOf = (s: number, b: number): number =>
    s < 0
      ? ((s + history) * dims.batch + b) * (width + 1)
      : state.length + (s * dims.batch + b) * width;
  return { history, width, rowOf };
}

/** Of every element of y: where those of state and x are that it sees, and how much each counts. */
function eachWindow(
  pool: WindowPool,
  x: Vec,
  dims: Dims,
  state: Vec,
  body: (y: number, seen: readonly number[], weights: readonly number[]) => void,
): void {
  const { batch } = dims;
  const { history, width, rowOf } = placesIn(pool, x, dims, state);
  const all = Float64Array.from([...state, ...x]);
  for (let b = 0; b < batch; b++) {
    const length = lengthOf(dims, b);
    const isThere = (s: number): boolean =>
      s < 0 ? s >= -history && state[rowOf(s, b) + width]! > 0 : s < length;
    for (let t = 0; t < outputLength(pool, length); t++) {
      const start = t * pool.stride - zerosOf(pool, length)[0];
      const valid = Array.from({ length: pool.size }, (_, k) => start + k).filter(isThere);
      for (let k = 0; k < width; k++) {
        const seen = valid.map((s) => rowOf(s, b) + k);
        const values = seen.map((at) => all[at]!);
        const first = values.indexOf(Math.max(...values));
        const share = 1 / (pool.countPadding ? pool.size : seen.length);
        const weights = seen.map((_, s) => (pool.mode === 'mean' ? share : Number(s === first)));
        body((t * batch + b) * width + k, seen, weights);
      }
    }
  }
}

/** Of every step of the last state, where it comes from, with as many numbers as that has. */
function eachKept(
  pool: WindowPool,
  x: Vec,
  dims: Dims,
  state: Vec,
  body: (kept: number, from: number, count: number) => void,
): void {
  const { history, width, rowOf } = placesIn(pool, x, dims, state);
  for (let b = 0; b < dims.batch; b++) {
    for (let s = -history; s < 0; s++) {
      const from = lengthOf(dims, b) + s;
      body(rowOf(s, b), rowOf(from, b), from < 0 ? width + 1 : width);
    }
  }
}

export function windowPoolForward(
  pool: WindowPool,
  x: Vec,
  dims: Dims,
  state: Vec,
): { output: Vec; final: Vec } {
  const all = Float64Array.from([...state, ...x]);
  const output = new Float64Array((x.length / dims.steps) * windowPoolDims(pool, dims).steps);
  eachWindow(pool, x, dims, state, (at, seen, weights) => {
    output[at] = seen.reduce((sum, from, s) => sum + weights[s]! * all[from]!, 0);
  });
  const final = new Float64Array(state.length).fill(1);
  eachKept(pool, x, dims, state, (kept, from, count) =>
    final.set(all.subarray(from, from + count), kept),
  );
  return { output, final };
}

/** From dL/dy and dL/d(last state). */
export function windowPoolBackward(
  pool: WindowPool,
  x: Vec,
  dims: Dims,
  state: Vec,
  dy: Vec,
  dfinal: Vec,
): { dx: Vec; dinitial: Vec } {
  const d = new Float64Array(state.length + x.length);
  eachWindow(pool, x, dims, state, (at, seen, weights) => {
    for (const [s, to] of seen.entries()) d[to]! += weights[s]! * dy[at]!;
  });
  eachKept(pool, x, dims, state, (kept, from, count) => {
    for (let k = 0; k < count; k++) d[from + k]! += dfinal[kept + k]!;
  });
  return { dx: d.subarray(state.length), dinitial: d.subarray(0, state.length) };
}

/** How near another number of a window comes to its largest one: there the derivative jumps. */
export function windowPoolKink(pool: WindowPool, x: Vec, dims: Dims, state: Vec): number {
  let least = Infinity;
  if (pool.mode === 'mean') return least;
  const all = Float64Array.from([...state, ...x]);
  eachWindow(pool, x, dims, state, (_, seen) => {
    const largest = Math.max(...seen.map((at) => all[at]!));
    for (const at of seen) if (all[at]! < largest) least = Math.min(least, largest - all[at]!);
  });
  return least;
}

export const repeatDims = (count: number, dims: Dims): Dims =>
  changed(dims, (steps) => count * steps);

export function repeatForward(count: number, x: Vec, { steps }: Dims): Vec {
  const row = x.length / steps;
  return Float64Array.from({ length: count * x.length }, (_, at) => {
    return x[Math.floor(at / row / count) * row + (at % row)]!;
  });
}

export function repeatBackward(count: number, dy: Vec, { steps }: Dims): Vec {
  const row = dy.length / (count * steps);
  const dx = new Float64Array(row * steps);
  for (const [at, value] of dy.entries())
    dx[Math.floor(at / row / count) * row + (at % row)]! += value;
  return dx;
}
