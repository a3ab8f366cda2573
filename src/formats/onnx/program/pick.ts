/** Places of an axis. */
import type { Call } from '../call.ts';
import type { Machine } from './machine.ts';
import { cut, sizeOf } from './tensor.ts';
import type { Tensor } from './tensor.ts';

/** Places of an axis that `index` numbers. */
export function picked(
  x: Tensor,
  axis: number,
  index: Tensor,
  call: Call,
  machine: Machine,
): Tensor {
  const { node } = call;
  const [a, b] = [machine.plain(x, node), machine.plain(index, node)];
  const [before, after] = [x.dims.slice(0, axis), x.dims.slice(axis + 1)];
  const dims = [...before, ...index.dims, ...after];
  const to = machine.make(dims, node, x.isFloat);
  const [count, row] = [sizeOf(index.dims), sizeOf(after)];
  const whole = x.dims[axis]!;
  machine.add({
    op: 'gather',
    to,
    a,
    b,
    count,
    row,
    size: whole,
    axes: [[sizeOf(before), count * row, whole * row, 0]],
  });
  return to;
}

/** The same by a list. */
export function pickedBy(
  x: Tensor,
  axis: number,
  list: readonly number[],
  call: Call,
  machine: Machine,
): Tensor {
  const [first = 0, second = first + 1] = list;
  const step = second - first;
  if (list.every((place, k) => place === first + k * step)) {
    return cut(x, axis, first, list.length, step);
  }
  call.graph.take(list.length);
  return picked(x, axis, machine.table([list.length], Float32Array.from(list)), call, machine);
}
