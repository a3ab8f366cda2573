/** The features of every row as one, in float64. */
import type { ReduceType } from '../../src/ops/reduce.ts';
import type { Vec } from './math.ts';

/** The weights of the features of a row: y = sum_k weight_k x_k. They are also dy/dx. */
function weights(type: ReduceType, row: Vec): Vec {
  if (type === 'reduceSum') return row.map(() => 1);
  if (type === 'reduceMean') return row.map(() => 1 / row.length);
  const chosen = row.indexOf(Math.max(...row));
  return row.map((_, k) => Number(k === chosen));
}

const rowsOf = (x: Vec, width: number): Vec[] =>
  Array.from({ length: x.length / width }, (_, r) => x.subarray(r * width, (r + 1) * width));

export function reduceForward(type: ReduceType, x: Vec, width: number): Vec {
  return Float64Array.from(rowsOf(x, width), (row) =>
    weights(type, row).reduce((sum, weight, k) => sum + weight * row[k]!, 0),
  );
}

export function reduceBackward(type: ReduceType, x: Vec, dy: Vec, width: number): Vec {
  const all = rowsOf(x, width).map((row, r) => weights(type, row).map((weight) => weight * dy[r]!));
  return Float64Array.from(all.flatMap((row) => [...row]));
}

/** How near another feature of a row came to its largest without being the same. */
export function reduceKink(type: ReduceType, row: Vec): number {
  if (type !== 'reduceMax') return Infinity;
  const largest = Math.max(...row);
  return Math.min(...row.map((value) => largest - value || Infinity));
}
