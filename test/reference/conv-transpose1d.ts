/**
 * A transposed convolution over time of every row, one number at a time; w [I, O, K] as PyTorch has
 * it, of a row of T valid steps:
 *
 *     y[u, o] = b[o] + sum over t < T, k < K with t s + k d - left = u, and all i, of w[i, o, k] x[t, i]
 *
 * There are (T - 1) s + d (K - 1) + 1 - left - right + outputPadding steps u, none of a row without a
 * step. `same` has T s: what there would be more is left out, the odd one after.
 */
import type { ConvWeights } from './conv1d.ts';
import type { Vec } from './math.ts';
import type { Dims } from './stack.ts';

export interface ConvTranspose {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: 'valid' | 'same' | number | readonly [number, number];
  readonly outputPadding: number;
}

function cropOf(c: ConvTranspose): { left: number; right: number } {
  if (c.padding === 'valid') return { left: 0, right: 0 };
  if (typeof c.padding === 'number') return { left: c.padding, right: c.padding };
  if (c.padding !== 'same') return { left: c.padding[0], right: c.padding[1] };
  // Below 0 after the last step: zeros are added there.
  const more = c.dilation * (c.taps - 1) + 1 - c.stride;
  const left = Math.max(0, Math.floor(more / 2));
  return { left, right: more - left };
}

function outputLength(c: ConvTranspose, steps: number): number {
  const { left, right } = cropOf(c);
  const all = (steps - 1) * c.stride + c.dilation * (c.taps - 1) + 1;
  return steps && Math.max(0, all - left - right + c.outputPadding);
}

export function convTransposeDims(c: ConvTranspose, dims: Dims): Dims {
  const steps = outputLength(c, dims.steps);
  if (!dims.lengths) return { ...dims, steps };
  return { ...dims, steps, lengths: Array.from(dims.lengths, (n) => outputLength(c, n)) };
}

/** All triples of elements of y, w and x that meet. */
function forEachProduct(
  c: ConvTranspose,
  dims: Dims,
  body: (y: number, w: number, x: number) => void,
): void {
  const { left } = cropOf(c);
  for (let b = 0; b < dims.batch; b++) {
    const steps = dims.lengths?.[b] ?? dims.steps;
    const length = outputLength(c, steps);
    for (let t = 0; t < steps; t++) {
      for (let k = 0; k < c.taps; k++) {
        const u = t * c.stride + k * c.dilation - left;
        if (u < 0 || u >= length) continue;
        for (let i = 0; i < c.inputs; i++) {
          for (let o = 0; o < c.outputs; o++) {
            const [y, x] = [u * dims.batch + b, t * dims.batch + b];
            body(y * c.outputs + o, (i * c.outputs + o) * c.taps + k, x * c.inputs + i);
          }
        }
      }
    }
  }
}

/** The rows of y [T', B, O] that are there. */
function forEachOutput(c: ConvTranspose, dims: Dims, body: (y: number, o: number) => void): void {
  const { steps, batch, lengths } = convTransposeDims(c, dims);
  for (let row = 0; row < steps * batch; row++) {
    if (lengths && Math.floor(row / batch) >= lengths[row % batch]!) continue;
    for (let o = 0; o < c.outputs; o++) body(row * c.outputs + o, o);
  }
}

/** x: [T, B, I] */
export function convTransposeForward(
  c: ConvTranspose,
  { weight, bias }: ConvWeights,
  dims: Dims,
  x: Vec,
): Vec {
  const y = new Float64Array(convTransposeDims(c, dims).steps * dims.batch * c.outputs);
  if (bias) forEachOutput(c, dims, (at, o) => (y[at] = bias[o]!));
  forEachProduct(c, dims, (atY, atW, atX) => {
    y[atY]! += weight[atW]! * x[atX]!;
  });
  return y;
}

/** Gives dx, adds to the gradients. */
export function convTransposeBackward(
  c: ConvTranspose,
  { weight }: ConvWeights,
  gradients: ConvWeights,
  dims: Dims,
  x: Vec,
  dy: Vec,
): Vec {
  const dx = new Float64Array(x.length);
  forEachProduct(c, dims, (atY, atW, atX) => {
    gradients.weight[atW]! += dy[atY]! * x[atX]!;
    dx[atX]! += dy[atY]! * weight[atW]!;
  });
  const { bias } = gradients;
  if (bias) forEachOutput(c, dims, (at, o) => (bias[o]! += dy[at]!));
  return dx;
}
