import { CONV_ROWS } from '../../assembly/shared/tuning.ts';
import { roundUp } from '../base/check.ts';
import { panelsLength, plainPanels } from './panels.ts';
import type { Panels } from './panels.ts';

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

/** Elements of the buffers of a convolution, and the bytes from row to row of the windows. */
export function convSizes(shape: ConvShape): {
  readonly w: number;
  readonly wTransposed: number;
  readonly windows: number;
  readonly windowRow: number;
  readonly slice: number;
} {
  const { panels, count } = convPanels(shape);
  const w = count * panelsLength(panels);
  if (isDepthwise(shape)) {
    return { w, wTransposed: 0, windows: shape.taps, windowRow: 0, slice: 0 };
  }
  const outputs = roundUp(panels.hidden, 4);
  // A line more than whole lines: rows are not a multiple of a page apart, which share few sets of
  // a cache.
  const row = roundUp(panels.depth, 16) + 16;
  return {
    w,
    wTransposed: count * outputs * roundUp(panels.depth, 16),
    windows: CONV_ROWS * row,
    windowRow: 4 * row,
    slice: count > 1 ? CONV_ROWS * outputs : 0,
  };
}

/**
 * Rows of PyTorch's [O, I, K] as [O, K, I], or back: the kernel wants the taps of an output before
 * its inputs.
 */
export function permuteTaps(rows: Float32Array, inputs: number, taps: number, into: boolean): void {
  if (taps === 1 || inputs === 1) return;
  const row = new Float32Array(inputs * taps);
  for (let at = 0; at < rows.length; at += row.length) {
    for (let i = 0; i < inputs; i++) {
      for (let k = 0; k < taps; k++) {
        const [plain, inner] = [i * taps + k, k * inputs + i];
        row[into ? inner : plain] = rows[at + (into ? plain : inner)]!;
      }
    }
    rows.set(row, at);
  }
}
