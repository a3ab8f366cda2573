import { newFloats, viewOf } from '../base/arrays.ts';
import { anyFloats, checkFloats, checkInteger, roundUp } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { kernelsOf } from '../engine/engine.ts';
import type { Engine } from '../engine/engine.ts';
import type { Kernels } from '../engine/kernels.ts';
import { Plan } from '../engine/plan.ts';
import type { Slot } from '../engine/plan.ts';

/** The array that a result goes to: the caller's, of exactly that length, or a fresh one. */
export function resultIn(
  out: Float32Array | undefined,
  length: number,
  shape: string,
): Float32Array {
  if (out === undefined) return newFloats(length, 'the result');
  return viewOf('Float32Array', checkFloats('out', out, length, shape));
}

/** Runs `body` with slots in a block that is given back afterwards. */
export function scratch<R>(
  engine: Engine,
  purpose: string,
  reserve: (kernels: Kernels, plan: Plan) => () => R,
): R {
  const kernels = kernelsOf(engine);
  const plan = new Plan();
  const body = reserve(kernels, plan);
  const block = kernels.arena.allocate(plan.bytes, purpose);
  try {
    plan.place(block);
    return body();
  } finally {
    kernels.arena.free(block);
  }
}

/**
 * Copies rows of `width` elements to a slot where they begin at multiples of four.
 *
 * @param order the caller's row at each place; absent where it is the same.
 */
export function putRows(
  kernels: Kernels,
  slot: Slot,
  values: Float32Array,
  width: number,
  order?: Int32Array,
): void {
  const row = roundUp(width, 4);
  const target = kernels.floats(slot);
  if (row === width && !order) return target.set(values);
  const rows = order ? order.length : values.length / width;
  for (let place = 0; place < rows; place++) {
    const from = (order ? order[place]! : place) * width;
    target.set(values.subarray(from, from + width), place * row);
  }
}

/** Copies them out again. */
export function getRows(
  kernels: Kernels,
  slot: Slot,
  values: Float32Array,
  width: number,
  order?: Int32Array,
): void {
  const row = roundUp(width, 4);
  const source = kernels.floats(slot);
  if (row === width && !order) return values.set(source.subarray(0, values.length));
  const rows = order ? order.length : values.length / width;
  for (let place = 0; place < rows; place++) {
    const from = place * row;
    values.set(source.subarray(from, from + width), (order ? order[place]! : place) * width);
  }
}

/** Rows of `features` elements, at least one, and how many. */
export function rowsOf(
  name: string,
  values: Float32Array,
  features: number,
): { readonly own: Float32Array; readonly rows: number } {
  checkInteger('features', features, 1);
  const own = anyFloats(name, values, 1);
  const rows = own.length / features;
  if (Number.isInteger(rows)) return { own, rows };
  const message = `"${name}" expected rows of ${features} elements, got length ${own.length}`;
  throw new GatefoldError('ERR_SHAPE', message);
}
