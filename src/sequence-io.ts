import { checkFloats, checkTokens } from './check.ts';
import { part } from './kernels.ts';
import type { Kernels, Slot } from './kernels.ts';
import type { Store } from './store.ts';
import type { Input } from './types.ts';
import type { Workspace } from './workspace.ts';

/** A stretch of a sequence that lies in a caller's array of `total` steps. */
export interface Stretch {
  readonly first: number;
  readonly steps: number;
  readonly total: number;
  readonly batchFirst: boolean;
}

/** Checks the inputs of `steps` steps against the model. */
export function checkInput(
  store: Store,
  name: string,
  x: Input,
  steps: number,
  batch: number,
): void {
  const unit = store.units[0]!;
  const length = steps * batch * unit.inputs;
  // The shape is spelled out for an error alone: a stream may not allocate a string at every step.
  if (unit.kind === 'embedding') {
    const fits = x instanceof Int32Array && x.length === length;
    checkTokens(name, x, length, fits ? '' : `${steps} steps x ${batch} rows`, unit.tokens);
  } else if (!(x instanceof Float32Array) || x.length !== length) {
    checkFloats(name, x, length, `${steps} steps x ${batch} rows x ${unit.inputs} features`);
  }
}

/** Brings a stretch of checked inputs into the workspace, from row `at` steps on. */
export function putInput(
  kernels: Kernels,
  workspace: Workspace,
  x: Input,
  stretch: Stretch,
  at = 0,
): void {
  const { batch, input, staging } = workspace;
  const width = input.length / (workspace.steps * batch);
  put(kernels, x, stretch, batch, width, part(input, at * batch * width), staging);
}

/** Rows [T, B, width] of the caller's array to `target`, time-major and dense. */
function put(
  kernels: Kernels,
  x: Input,
  stretch: Stretch,
  batch: number,
  width: number,
  target: Slot,
  staging: Slot,
): void {
  const { first, steps, total, batchFirst } = stretch;
  const length = steps * batch * width;
  const view = (slot: Slot, from: number, n: number): Input =>
    x instanceof Int32Array ? kernels.integers(slot, from, n) : kernels.floats(slot, from, n);
  if (!batchFirst || batch === 1 || total === 1) {
    const from = first * batch * width;
    view(target, 0, length).set(x.subarray(from, from + length));
    return;
  }
  const row = steps * width;
  for (let b = 0; b < batch; b++) {
    const from = (b * total + first) * width;
    view(staging, b * row, row).set(x.subarray(from, from + row));
  }
  swapAxes(kernels, target, staging, steps, batch, width, width);
}

/** The outputs of a stretch, dense, to the caller's array. `row` is the distance of their rows in the engine. */
export function takeOutput(
  kernels: Kernels,
  source: Slot,
  row: number,
  width: number,
  batch: number,
  staging: Slot,
  out: Float32Array,
  stretch: Stretch,
): void {
  const { first, steps, total, batchFirst } = stretch;
  const length = steps * batch * width;
  const { run } = kernels;
  if (!batchFirst || batch === 1 || total === 1) {
    let dense = source;
    if (row !== width) {
      run.rows_copy(
        staging.address,
        0,
        width * 4,
        source.address,
        0,
        row * 4,
        1,
        steps * batch,
        width * 4,
      );
      dense = staging;
    }
    out.set(kernels.floats(dense, 0, length), first * batch * width);
    return;
  }
  swapAxes(kernels, staging, source, batch, steps, width, row);
  const piece = steps * width;
  for (let b = 0; b < batch; b++) {
    out.set(kernels.floats(staging, b * piece, piece), (b * total + first) * width);
  }
}

/** [inner, outer, row] to dense [outer, inner, width]. */
function swapAxes(
  kernels: Kernels,
  to: Slot,
  from: Slot,
  outer: number,
  inner: number,
  width: number,
  row: number,
): void {
  const bytes = width * 4;
  kernels.run.rows_copy(
    to.address,
    inner * bytes,
    bytes,
    from.address,
    row * 4,
    outer * row * 4,
    outer,
    inner,
    bytes,
  );
}
