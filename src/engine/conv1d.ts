import { TAP_SUM } from '../../assembly/shared/tuning.ts';
import { checkInteger, roundUp, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import type { Fields } from './kernels.ts';
import { panelsLength, plainPanels } from './panels.ts';
import type { Panels } from './panels.ts';

/** Rows of outputs whose windows are laid out at once: one block of a product. */
const ROWS = 96;

/** What the buffers of a `Conv1d` (assembly/layers/conv1d.ts) depend on. */
export interface ConvShape {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  readonly groups: number;
}

/** Zeros around a sequence: a name, or how many before and after. */
export type ConvPadding = 'valid' | 'same' | 'causal' | readonly [number, number];

/** Where the outputs of a convolution are. */
export interface ConvReach {
  readonly kernelSize: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: ConvPadding;
}

/** Most steps from the first tap to the last, and most zeros at one end. */
export const MAX_REACH: number = 2 ** 20;

/** A padding, as it is, or an error that names the argument. */
export function checkPadding(name: string, value: unknown): ConvPadding {
  if (value === 'valid' || value === 'same' || value === 'causal') return value;
  if (!Array.isArray(value) || value.length !== 2) {
    const message = `"${name}" expected 'valid', 'same', 'causal' or [left, right], got ${show(value)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const zeros = [0, 1].map((k) => checkInteger(`${name}[${k}]`, value[k], 0, MAX_REACH));
  return Object.freeze(zeros) as unknown as readonly [number, number];
}

/** Zeros before the first of `length` valid steps, or steps of a state, and after the last. */
export function convZeros(
  length: number,
  { kernelSize, stride, dilation, padding }: ConvReach,
): readonly [left: number, right: number] {
  const reach = dilation * (kernelSize - 1);
  if (padding === 'valid') return [0, 0];
  if (padding === 'causal') return [reach, 0];
  if (padding !== 'same') return padding;
  const outputs = Math.ceil(length / stride);
  const zeros = Math.max(0, (outputs - 1) * stride + reach + 1 - length);
  return [Math.floor(zeros / 2), Math.ceil(zeros / 2)];
}

/** Output steps of a row of `length` valid steps; none of none. */
export function convSteps(length: number, reach: ConvReach): number {
  const { kernelSize, stride, dilation } = reach;
  const [left, right] = convZeros(length, reach);
  const room = length + left + right - dilation * (kernelSize - 1) - 1;
  return length === 0 || room < 0 ? 0 : Math.floor(room / stride) + 1;
}

/** Every input has one output of its own; the kernel has a loop for it. */
function isDepthwise({ inputs, outputs, groups }: ConvShape): boolean {
  return groups > 1 && groups === inputs && groups === outputs;
}

/** The panels of one group, and how many such lie one after the other: one where depthwise. */
export function convPanels(shape: ConvShape): { panels: Panels; count: number } {
  const { inputs, outputs, taps, groups } = shape;
  const count = isDepthwise(shape) ? 1 : groups;
  const columns = outputs / count;
  const depth = isDepthwise(shape) ? taps : (taps * inputs) / groups;
  return { panels: plainPanels(columns, roundUp(columns, 16), depth), count };
}

/** Elements of the buffers of a convolution, and the fields that say how the windows lie. */
export function convSizes(shape: ConvShape): {
  readonly w: number;
  readonly wTransposed: number;
  readonly windows: number;
  readonly slice: number;
  readonly fields: Fields<'Conv1d'>;
} {
  const { panels, count } = convPanels(shape);
  const w = count * panelsLength(panels);
  if (isDepthwise(shape)) {
    return { w, wTransposed: 0, windows: shape.taps, slice: 0, fields: {} };
  }
  const outputs = roundUp(panels.hidden, 4);
  // A line more than whole lines: rows are not a multiple of a page apart, which share few sets of
  // a cache.
  const row = roundUp(panels.depth, 16) + 16;
  return {
    w,
    wTransposed: count * outputs * roundUp(panels.depth, 16),
    windows: ROWS * row,
    slice: (Number(count > 1) + Number(shape.inputs / count >= TAP_SUM)) * ROWS * outputs,
    fields: { windowRows: ROWS, windowRow: 4 * row },
  };
}
