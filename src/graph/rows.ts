import { isOf, kindOf } from '../base/arrays.ts';
import {
  checkFlag,
  checkInteger,
  hasNamed,
  ownFloats,
  ownTokens,
  readNamed,
  show,
} from '../base/check.ts';
import type { IsRead } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { checkLengths } from '../ops/pass.ts';
import type { Stretch } from '../ops/pass.ts';
import { part } from '../engine/plan.ts';
import type { Kernels } from '../engine/kernels.ts';
import type { Slot } from '../engine/plan.ts';
import { checkState, unplaced } from './states.ts';
import type { Graph } from './graph.ts';
import type { Store } from './parameters.ts';
import type { Input, Inputs, ModelState, SequenceOptions } from '../base/tensor.ts';
import type { Rows, Workspace } from './workspace.ts';

/** A checked call. */
export interface Sequence {
  /** Of every input. */
  readonly x: readonly Input[];
  /** Steps and valid steps of every sequence of inputs. */
  readonly totals: readonly number[];
  readonly lengths: readonly (Int32Array | undefined)[];
  readonly batch: number;
  readonly batchFirst: boolean;
  readonly state: ModelState;
}

/** Options of a call over a sequence, but for those of its outputs. */
export const SEQUENCE_KEYS = ['steps', 'batch', 'batchFirst', 'state', 'lengths'] as const;

/**
 * Checks a call against the model, before it takes any memory. What it returns nobody else can
 * change.
 */
export function checkSequence(store: Store, x: Inputs, options: SequenceOptions): Sequence {
  const { state: given = {}, lengths: valid, ...rest } = options;
  const { graph } = store;
  const totals = checkSteps(graph, rest.steps);
  const batch = checkInteger('batch', rest.batch ?? 1, 1);
  const batchFirst = checkFlag('batchFirst', rest.batchFirst);
  const lengths = checkAllLengths(graph, valid, batch, totals);
  const state = checkState(unplaced(graph), given, batch);
  const places = { totals, batch, batchFirst, lengths };
  return { x: ownInputs(store, x, places), ...places, state };
}

/** How the rows of a call lie in a caller's arrays, and which of them are read. */
export type Places = Pick<Sequence, 'totals' | 'lengths' | 'batch' | 'batchFirst'>;

/**
 * Which rows of one of a caller's arrays are read.
 *
 * @param total steps of it.
 * @param lengths valid steps of every row; absent where all are.
 */
export function readRows(
  total: number,
  { batch, batchFirst }: Pick<Places, 'batch' | 'batchFirst'>,
  lengths: ArrayLike<number> | undefined,
): IsRead {
  return (row) => {
    const [b, t] = batchFirst ? [Math.floor(row / total), row % total] : [row % batch, row / batch];
    return lengths === undefined || Math.floor(t) < lengths[b]!;
  };
}

/**
 * What a caller says of each sequence of inputs: of the only one by itself or by name, of several
 * by name.
 */
function bySequence<T>(
  { sequences }: Graph,
  name: string,
  given: unknown,
  isOne: (value: unknown) => boolean,
): readonly (T | undefined)[] {
  if (given === undefined) return sequences.map(() => undefined);
  if (sequences.length === 1 && !hasNamed(given, sequences[0]!)) return [given as T];
  if (isOne(given)) {
    const message = `"${name}" expected an object with ${sequences.map(show).join(' and ')}, which have steps of their own, got ${show(given)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  return readNamed(name, given, sequences);
}

/** Steps of every sequence of inputs; those that the description fixes need not be given. */
export function checkSteps(graph: Graph, given: unknown): readonly number[] {
  const isOne = (value: unknown): boolean => typeof value === 'number' || value === null;
  const all = bySequence<number>(graph, 'steps', given, isOne);
  const totals = all.map((steps, k) => {
    const name = graph.sequences.length > 1 ? `steps.${graph.sequences[k]}` : 'steps';
    return checkInteger(name, steps ?? graph.fixed[k], 1);
  });
  graph.checkSteps(totals);
  return totals;
}

/** Valid steps of every sequence of inputs; `undefined` where all rows have all. */
export function checkAllLengths(
  graph: Graph,
  given: unknown,
  batch: number,
  totals: readonly number[],
): readonly (Int32Array | undefined)[] {
  const isOne = (value: unknown): boolean =>
    value === null || typeof (value as { length?: unknown }).length === 'number';
  return bySequence<ArrayLike<number>>(graph, 'lengths', given, isOne).map((lengths, k) => {
    const name = graph.sequences.length > 1 ? `lengths.${graph.sequences[k]}` : 'lengths';
    return checkLengths(lengths, batch, totals[k]!, name);
  });
}

/** The inputs of these steps, checked against the model, where nobody can change them. */
export function ownInputs(
  { graph }: Pick<Store, 'graph'>,
  x: unknown,
  places: Places,
): readonly Input[] {
  return eachInput(graph.inputs, x).map((given, k) => {
    const title = graph.inputs.length > 1 ? `x.${graph.inputs[k]!.name}` : 'x';
    return widths(graph, title, given, k, places);
  });
}

/** The inputs of a stream that are there from its start; `undefined` for the others. */
export function ownGiven(
  graph: Graph,
  given: unknown,
  places: Places,
): readonly (Input | undefined)[] {
  const whole = [...graph.inputs.keys()].filter((k) => !graph.isStreamedInput(k));
  const names = whole.map((k) => graph.inputs[k]!.name);
  const values = readNamed('given', given, names);
  const owned: (Input | undefined)[] = graph.inputs.map(() => undefined);
  for (const [place, k] of whole.entries()) {
    owned[k] = widths(graph, `given.${names[place]}`, values[place], k, places);
  }
  return owned;
}

/** All rows of an input. */
function widths(
  { inputs, sequences, grids }: Graph,
  title: string,
  given: unknown,
  input: number,
  places: Places,
): Input {
  const { width, tokens, grid } = inputs[input]!;
  const isRow = grid >= sequences.length;
  const { sequence } = grids[grid]!;
  const total = isRow ? 1 : places.totals[sequence]!;
  const rows = places.batch * total;
  const shape = isRow ? 'batch' : 'steps x batch';
  if (tokens !== undefined) {
    const isRead = isRow ? undefined : readRows(total, places, places.lengths[sequence]);
    return ownTokens(title, given, rows, shape, tokens, 0, isRead);
  }
  return ownFloats(title, given, rows * width, `${shape} x features`);
}

/** What a caller gives for each input: the only one by itself or by name, several by name. */
export function eachInput(inputs: Graph['inputs'], x: unknown): readonly unknown[] {
  if (inputs.length === 1 && !hasNamed(x, inputs[0]!.name)) return [x];
  if (typeof x !== 'object' || x === null || kindOf(x) !== undefined) {
    const names = inputs.map((input) => show(input.name)).join(', ');
    const message = `"x" expected an object with the inputs ${names}, got ${show(x)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  return readNamed(
    'x',
    x,
    inputs.map((input) => input.name),
  );
}

/** Copies a stretch of checked inputs to the workspace, after the first `at` steps. */
export function putInputs(
  kernels: Kernels,
  workspace: Workspace,
  x: readonly Input[],
  stretch: Stretch,
  at = 0,
): void {
  const { batch, inputs } = workspace;
  for (const [k, { slot, width }] of inputs.entries()) {
    const own = workspace.inputStretch(k, stretch);
    const rows = { slot: part(slot, at * batch * width), row: width, width };
    putRows(kernels, workspace, x[k]!, rows, own);
  }
}

/** Whether rows lie in a caller's array as they do in the engine. */
function isAlike({ batchFirst, total, extent }: Stretch, batch: number): boolean {
  return !extent.order && (!batchFirst || batch === 1 || total === 1);
}

/** Rows of a caller's array to the engine, in the order of the extent. */
export function putRows(
  kernels: Kernels,
  workspace: Workspace,
  x: Input,
  rows: Rows,
  stretch: Stretch,
): void {
  const { batch } = workspace;
  const { slot, row, width } = rows;
  const isToken = isOf('Int32Array', x);
  const viewOf = (to: Slot): Input => (isToken ? kernels.integers(to) : kernels.floats(to));
  if (row === width && isAlike(stretch, batch)) {
    const { first, extent } = stretch;
    const from = first * batch * width;
    return viewOf(slot).set(x.subarray(from, from + extent.rows * width));
  }
  const view = viewOf(workspace.staging);
  for (const [at, from, length] of pieces(stretch, batch, width)) {
    view.set(x.subarray(from, from + length), at);
  }
  workspace.sortRows(rows, stretch, /* isBack */ false);
}

/**
 * The parts of a caller's array that the steps of a stretch are in: where each is among these steps
 * alone, where it is in the array, and its length. With the time first there is one.
 */
function* pieces(
  { first, total, batchFirst, extent: { steps } }: Stretch,
  batch: number,
  width: number,
): Generator<[number, number, number]> {
  const isWhole = !batchFirst || total === steps;
  const [count, length] = isWhole ? [1, batch * steps * width] : [batch, steps * width];
  const start = batchFirst ? first * width : first * batch * width;
  for (let k = 0; k < count; k++) yield [k * length, start + k * total * width, length];
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
 * Rows in the engine, in the order of the extent, to their places in the caller's array. Those of
 * the same steps that are not there become zero.
 */
export function takeRows(
  kernels: Kernels,
  workspace: Workspace,
  rows: Rows,
  out: Float32Array,
  stretch: Stretch,
): void {
  const { batch } = workspace;
  const { slot, row, width } = rows;
  if (isAlike(stretch, batch)) {
    const { first, extent } = stretch;
    if (row !== width) workspace.copyRows(slot, row, width, extent.rows);
    const dense = row === width ? slot : workspace.staging;
    const view = kernels.floats(dense, 0, extent.rows * width);
    return out.set(view, first * batch * width);
  }
  workspace.sortRows(rows, stretch, /* isBack */ true);
  for (const [at, to, length] of pieces(stretch, batch, width)) {
    out.set(kernels.floats(workspace.staging, at, length), to);
  }
}

/** Zeros for all steps from `steps` on of a caller's array of `total` steps. */
export function clearAfter(
  out: Float32Array,
  width: number,
  steps: number,
  total: number,
  batch: number,
  batchFirst: boolean,
): void {
  const [rows, step] = batchFirst ? [batch, width] : [1, batch * width];
  for (let k = 0; k < rows; k++) out.fill(0, (k * total + steps) * step, (k + 1) * total * step);
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
