import { roundUp } from '../base/check.ts';
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

/** Where the outputs of a convolution are. */
export interface ConvReach {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros, or steps of a state, before the first step. */
  readonly left: number;
  /** Zeros after the last step. */
  readonly right: number;
}

/** Output steps of a row of `length` valid steps. */
export function convSteps(length: number, reach: ConvReach): number {
  const { taps, stride, dilation, left, right } = reach;
  const room = length + left + right - dilation * (taps - 1) - 1;
  return room < 0 ? 0 : Math.floor(room / stride) + 1;
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
    slice: count > 1 ? ROWS * outputs : 0,
    fields: { windowRows: ROWS, windowRow: 4 * row },
  };
}
