/** Two sources feature by feature, from the left, in float64. */
import type { JoinType } from '../../src/ops/join.ts';
import type { Vec } from './math.ts';

/** Rows of [x, width] at `row` and feature `k`; of one feature that one for all. */
const placeOf = (row: number, k: number, width: number): number =>
  width === 1 ? row : row * width + k;

const VALUES: Readonly<Record<JoinType, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  average: (a, b) => (a + b) / 2,
};

/** Derivatives by a and b. */
const SLOPES: Readonly<Record<JoinType, (a: number, b: number) => readonly [number, number]>> = {
  add: () => [1, 1],
  subtract: () => [1, -1],
  multiply: (a, b) => [b, a],
  divide: (a, b) => [1 / b, -a / b ** 2],
  average: () => [0.5, 0.5],
};

function pair(type: JoinType, a: Vec, b: Vec, [m, n]: readonly [number, number]): Vec {
  const width = Math.max(m, n);
  return Float64Array.from({ length: (a.length / m) * width }, (_, i) => {
    const [row, k] = [Math.floor(i / width), i % width];
    return VALUES[type](a[placeOf(row, k, m)]!, b[placeOf(row, k, n)]!);
  });
}

export function joinForward(type: JoinType, xs: readonly Vec[], widths: readonly number[]): Vec {
  let [y, width] = [xs[0]!, widths[0]!];
  for (let k = 1; k < xs.length; k++) {
    y = pair(type, y, xs[k]!, [width, widths[k]!]);
    width = Math.max(width, widths[k]!);
  }
  return y;
}

/** Gradients of all sources. */
export function joinBackward(
  type: JoinType,
  xs: readonly Vec[],
  widths: readonly number[],
  dy: Vec,
): Vec[] {
  const last = xs.length - 1;
  if (last === 0) return [dy];
  const [m, n] = [Math.max(...widths.slice(0, last)), widths[last]!];
  const before = joinForward(type, xs.slice(0, last), widths);
  const [da, db] = [new Float64Array(before.length), new Float64Array(xs[last]!.length)];
  const width = Math.max(m, n);
  for (const [i, value] of dy.entries()) {
    const [row, k] = [Math.floor(i / width), i % width];
    const [at, bt] = [placeOf(row, k, m), placeOf(row, k, n)];
    const [slopeA, slopeB] = SLOPES[type](before[at]!, xs[last]![bt]!);
    da[at]! += value * slopeA;
    db[bt]! += value * slopeB;
  }
  return [...joinBackward(type, xs.slice(0, last), widths.slice(0, last), da), db];
}
