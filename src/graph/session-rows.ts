/** Rows of the states of a pool's sessions. */

import type { Kernels } from '../engine/kernels.ts';
import { raggedExtent, uniformExtent } from '../ops/pass.ts';
import type { Extent } from '../ops/pass.ts';
import type { ModelState } from '../base/tensor.ts';
import type { StatePlace } from './states.ts';

/** One step of the first rows of a batch, the others of which have none. */
export function firstRowsExtent(rows: number, batch: number): Extent {
  if (rows === batch) return uniformExtent(1, batch);
  return raggedExtent(new Int32Array(batch).fill(1, 0, rows), 0, 1)!;
}

/** A checked state of batch 1 to one row; zero, or what was learned, where absent. */
export function placeRow(
  kernels: Kernels,
  places: readonly StatePlace[],
  state: ModelState,
  batch: number,
  b: number,
): void {
  for (const { node, spec, place, slot, initial } of places) {
    const { count, row, width } = spec;
    const values = Object.hasOwn(state, node.layer) ? state[node.layer]![spec.role] : undefined;
    for (let k = 0; k < count; k++) {
      const target = (k * batch + b) * row;
      kernels.zero(slot, target, row);
      if (values) kernels.put(slot, target, values, (place + k) * width, width);
      else if (initial) kernels.copy(slot, target, initial, 0, row);
    }
  }
}

/** Copies the first rows of every state. Allocates nothing. */
export function copyFirstRows(
  kernels: Kernels,
  from: readonly StatePlace[],
  to: readonly StatePlace[],
  batch: number,
  rows: number,
): void {
  for (let i = 0; i < from.length; i++) {
    const { count, row } = from[i]!.spec;
    for (let k = 0; k < count; k++) {
      const at = k * batch * row;
      kernels.copy(to[i]!.slot, at, from[i]!.slot, at, rows * row);
    }
  }
}

/** Exchanges two rows of every state, by way of a row of places that nobody reads. */
export function swapRows(
  kernels: Kernels,
  places: readonly StatePlace[],
  free: readonly StatePlace[],
  batch: number,
  a: number,
  b: number,
): void {
  for (let i = 0; i < places.length; i++) {
    const { slot, spec } = places[i]!;
    const { count, row } = spec;
    // The last states of those after a step are none of those before it.
    const spare = free[i]!.slot;
    const spareAt = (count - 1) * batch * row;
    for (let k = 0; k < count; k++) {
      const [one, other] = [(k * batch + a) * row, (k * batch + b) * row];
      kernels.copy(spare, spareAt, slot, one, row);
      kernels.copy(slot, one, slot, other, row);
      kernels.copy(slot, other, spare, spareAt, row);
    }
  }
}
