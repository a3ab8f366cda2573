import { isOf } from '../base/arrays.ts';
import { checkFlag, checkInteger, ownFloats, ownTokens } from '../base/check.ts';
import { checkLengths } from '../ops/pass.ts';
import type { Stretch } from '../ops/pass.ts';
import { part } from '../engine/plan.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Slot } from '../engine/plan.ts';
import { checkState, unplaced } from './states.ts';
import type { Store } from './parameters.ts';
import type { Input, ModelState, SequenceOptions } from '../base/tensor.ts';
import type { Workspace } from './workspace.ts';

/** Rows in the engine: their distance and width in numbers. */
interface Rows {
  readonly slot: Slot;
  readonly row: number;
  readonly width: number;
}

/** A checked call. */
export interface Sequence {
  readonly x: Input;
  readonly total: number;
  readonly batch: number;
  readonly batchFirst: boolean;
  readonly lengths: Int32Array | undefined;
  readonly state: ModelState;
}

/** Options of a call over a sequence, but for those of its outputs. */
export const SEQUENCE_KEYS = ['steps', 'batch', 'batchFirst', 'state', 'lengths'] as const;

/**
 * Checks a call against the model, before it takes any memory. What it returns nobody else can
 * change.
 */
export function checkSequence(store: Store, x: Input, options: SequenceOptions): Sequence {
  const { state: given = {}, lengths: valid, ...rest } = options;
  const total = checkInteger('steps', rest.steps, 1);
  store.graph.outputSteps(total);
  const batch = checkInteger('batch', rest.batch ?? 1, 1);
  const batchFirst = checkFlag('batchFirst', rest.batchFirst);
  const lengths = checkLengths(valid, batch, total);
  const state = checkState(unplaced(store.graph.nodes), given, batch);
  return { x: ownInput(store, x, total, batch), total, batch, batchFirst, lengths, state };
}

/** The inputs of `steps` steps, checked against the model, where nobody can change them. */
export function ownInput(store: Store, x: Input, steps: number, batch: number): Input {
  const { tokens, inputs } = store.graph;
  if (tokens !== undefined) return ownTokens('x', x, steps * batch, 'steps x batch', tokens);
  const length = steps * batch * inputs;
  return ownFloats('x', x, length, 'steps x batch x features');
}

/** Copies a stretch of checked inputs to the workspace, after the first `at` steps. */
export function putInput(
  kernels: Kernels,
  workspace: Workspace,
  x: Input,
  stretch: Stretch,
  at = 0,
): void {
  const { batch, input } = workspace;
  const width = input.length / (workspace.steps * batch);
  const rows = { slot: part(input, at * batch * width), row: width, width };
  putRows(kernels, workspace, x, rows, stretch);
}

/** Rows of a caller's array to the engine, in the order of the extent. */
export function putRows(
  kernels: Kernels,
  { batch }: Workspace,
  x: Input,
  { slot, row, width }: Rows,
  stretch: Stretch,
): void {
  const { first, total, batchFirst, extent } = stretch;
  const length = extent.rows * width;
  const isToken = isOf('Int32Array', x);
  const view = isToken ? kernels.integers(slot) : kernels.floats(slot);
  if (!extent.order && row === width && (!batchFirst || batch === 1 || total === 1)) {
    const from = first * batch * width;
    view.set(x.subarray(from, from + length));
    return;
  }
  eachRow(stretch, batch, (place, from) => {
    for (let k = 0; k < width; k++) view[place * row + k] = x[from * width + k]!;
  });
}

/** Adds rows of a caller's array to those in the engine. */
export function addRows(
  kernels: Kernels,
  { batch }: Workspace,
  x: Float32Array,
  { slot, row, width }: Rows,
  stretch: Stretch,
): void {
  const view = kernels.floats(slot);
  eachRow(stretch, batch, (place, from) => {
    for (let k = 0; k < width; k++) view[place * row + k]! += x[from * width + k]!;
  });
}

/**
 * Rows in the engine, in the order of the extent, to their places in the caller's array. Others of
 * it are not touched.
 */
export function takeRows(
  kernels: Kernels,
  workspace: Workspace,
  { slot, row, width }: Rows,
  out: Float32Array,
  stretch: Stretch,
): void {
  const { batch } = workspace;
  const { first, total, batchFirst, extent } = stretch;
  if (!extent.order && (!batchFirst || batch === 1 || total === 1)) {
    if (row !== width) workspace.copyRows(slot, row, width, extent.rows);
    const dense = row === width ? slot : workspace.staging;
    out.set(kernels.floats(dense, 0, extent.rows * width), first * batch * width);
    return;
  }
  const view = kernels.floats(slot);
  eachRow(stretch, batch, (place, to) => {
    for (let k = 0; k < width; k++) out[to * width + k] = view[place * row + k]!;
  });
}

/** Every row of the extent: its place, and its row in the caller's array. */
export function eachRow(
  { first, total, batchFirst, extent }: Stretch,
  batch: number,
  body: (place: number, row: number) => void,
): void {
  const { steps, offsets, order } = extent;
  for (let t = 0; t < steps; t++) {
    const start = offsets[t]!;
    for (let place = start; place < offsets[t + 1]!; place++) {
      const b = order ? order[place - start]! : place - start;
      body(place, batchFirst ? b * total + first + t : (first + t) * batch + b);
    }
  }
}

/**
 * Repeats the last valid output of every row after it, in a caller's array whose other rows are
 * zero.
 */
export function repeatLast(
  out: Float32Array,
  width: number,
  lengths: Int32Array,
  total: number,
  batchFirst: boolean,
): void {
  const at = (t: number, b: number): number =>
    (batchFirst ? b * total + t : t * lengths.length + b) * width;
  for (const [b, length] of lengths.entries()) {
    for (let t = length; t < total && length > 0; t++) {
      const last = at(length - 1, b);
      out.copyWithin(at(t, b), last, last + width);
    }
  }
}

/** Gradients of repeated outputs, added to that of the output which they repeat. */
export function gatherRepeated(
  gradients: Float32Array,
  width: number,
  lengths: Int32Array,
  total: number,
  batchFirst: boolean,
): Float32Array {
  const sums = gradients.slice();
  const at = (t: number, b: number): number =>
    (batchFirst ? b * total + t : t * lengths.length + b) * width;
  for (const [b, length] of lengths.entries()) {
    for (let t = length; t < total && length > 0; t++) {
      for (let k = 0; k < width; k++) sums[at(length - 1, b) + k]! += gradients[at(t, b) + k]!;
    }
  }
  return sums;
}
