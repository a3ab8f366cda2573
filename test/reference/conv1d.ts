/**
 * A convolution over time of one sequence x [T, I], one number at a time; w [O, I / G, K] as
 * PyTorch has it, x_t = 0 outside of the sequence:
 *
 *     y[t, o] = b[o] + sum over i < I / G, k < K of w[o, i, k] x[t s + k d - left, g I / G + i]
 *
 * where g = floor(o / (O / G)) is the group of o. There are floor((T + left + right - d (K - 1) - 1)
 * / s) + 1 outputs, at least 0.
 */
import type { Vec } from './math.ts';

export interface Convolution {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  readonly groups: number;
  readonly stride: number;
  readonly dilation: number;
  readonly left: number;
  readonly right: number;
}

export function outputSteps(c: Convolution, steps: number): number {
  let count = 0;
  // The last tap of output `count` is inside of the padded sequence.
  while (count * c.stride + c.dilation * (c.taps - 1) < c.left + steps + c.right) count++;
  return count;
}

/** All pairs of an element of y and one of x that meet at a weight. */
function forEachProduct(
  c: Convolution,
  steps: number,
  body: (y: number, w: number, x: number) => void,
): void {
  const [groupInputs, groupOutputs] = [c.inputs / c.groups, c.outputs / c.groups];
  for (let t = 0; t < outputSteps(c, steps); t++) {
    for (let o = 0; o < c.outputs; o++) {
      for (let i = 0; i < groupInputs; i++) {
        for (let k = 0; k < c.taps; k++) {
          const from = t * c.stride + k * c.dilation - c.left;
          if (from < 0 || from >= steps) continue;
          const input = Math.floor(o / groupOutputs) * groupInputs + i;
          body(t * c.outputs + o, (o * groupInputs + i) * c.taps + k, from * c.inputs + input);
        }
      }
    }
  }
}

export function convForward(c: Convolution, w: Vec, bias: Vec | undefined, x: Vec): Vec {
  const steps = x.length / c.inputs;
  const y = new Float64Array(outputSteps(c, steps) * c.outputs);
  y.forEach((_, at) => {
    y[at] = bias?.[at % c.outputs] ?? 0;
  });
  forEachProduct(c, steps, (atY, atW, atX) => {
    y[atY]! += w[atW]! * x[atX]!;
  });
  return y;
}

/** Gives dx, adds to dw and dBias. */
export function convBackward(
  c: Convolution,
  w: Vec,
  dw: Vec,
  dBias: Vec | undefined,
  x: Vec,
  dy: Vec,
): Vec {
  const dx = new Float64Array(x.length);
  forEachProduct(c, x.length / c.inputs, (atY, atW, atX) => {
    dw[atW]! += dy[atY]! * x[atX]!;
    dx[atX]! += dy[atY]! * w[atW]!;
  });
  if (dBias) dy.forEach((d, at) => (dBias[at % c.outputs]! += d));
  return dx;
}
