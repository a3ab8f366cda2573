/**
 * Pools of windows over x [T, B, W], one number at a time, x_t = 0 outside of the n valid steps of
 * its row; 0 after the last window:
 *
 *     max:    y_t = max over valid s of t S - left <= s < t S - left + P, its gradient to the first
 *     mean:   y_t = sum of the same x_s / P, or / how many they are
 *     repeat: y_t = x of step floor(t / N)
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

/** Of every element of y: where those of x are that it sees, and how much each counts. */
function eachWindow(
  pool: WindowPool,
  x: Vec,
  dims: Dims,
  body: (y: number, seen: readonly number[], weights: readonly number[]) => void,
): void {
  const { steps, batch } = dims;
  const width = x.length / (steps * batch);
  for (let b = 0; b < batch; b++) {
    const length = lengthOf(dims, b);
    for (let t = 0; t < outputLength(pool, length); t++) {
      const start = t * pool.stride - zerosOf(pool, length)[0];
      const valid = Array.from({ length: pool.size }, (_, k) => start + k).filter(
        (s) => s >= 0 && s < length,
      );
      for (let k = 0; k < width; k++) {
        const seen = valid.map((s) => (s * batch + b) * width + k);
        const values = seen.map((at) => x[at]!);
        const first = values.indexOf(Math.max(...values));
        const share = 1 / (pool.countPadding ? pool.size : seen.length);
        const weights = seen.map((_, s) => (pool.mode === 'mean' ? share : Number(s === first)));
        body((t * batch + b) * width + k, seen, weights);
      }
    }
  }
}

export function windowPoolForward(pool: WindowPool, x: Vec, dims: Dims): Vec {
  const y = new Float64Array((x.length / dims.steps) * windowPoolDims(pool, dims).steps);
  eachWindow(pool, x, dims, (at, seen, weights) => {
    y[at] = seen.reduce((sum, from, s) => sum + weights[s]! * x[from]!, 0);
  });
  return y;
}

export function windowPoolBackward(pool: WindowPool, x: Vec, dy: Vec, dims: Dims): Vec {
  const dx = new Float64Array(x.length);
  eachWindow(pool, x, dims, (at, seen, weights) => {
    for (const [s, to] of seen.entries()) dx[to]! += weights[s]! * dy[at]!;
  });
  return dx;
}

/** How near another number of a window comes to its largest one: there the derivative jumps. */
export function windowPoolKink(pool: WindowPool, x: Vec, dims: Dims): number {
  let least = Infinity;
  if (pool.mode === 'mean') return least;
  eachWindow(pool, x, dims, (_, seen) => {
    const largest = Math.max(...seen.map((at) => x[at]!));
    for (const at of seen) if (x[at]! < largest) least = Math.min(least, largest - x[at]!);
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
