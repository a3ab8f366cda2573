/** Features and steps of rows [T, B, *] in another place, in float64. */
import type { Vec } from './math.ts';
import type { Dims } from './stack.ts';

/** The rows of several arrays side by side. */
export function concatForward(xs: readonly Vec[], widths: readonly number[]): Vec {
  const rows = xs[0]!.length / widths[0]!;
  const y: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (const [k, width] of widths.entries()) {
      y.push(...xs[k]!.subarray(row * width, (row + 1) * width));
    }
  }
  return Float64Array.from(y);
}

export function concatBackward(dy: Vec, widths: readonly number[]): Vec[] {
  const total = widths.reduce((sum, width) => sum + width);
  let from = 0;
  return widths.map((width) => {
    from += width;
    return sliceForward(dy, total, from - width, width);
  });
}

/** Features `from` to `from + width` of rows of `total`. */
export function sliceForward(x: Vec, total: number, from: number, width: number): Vec {
  const rows = x.length / total;
  return Float64Array.from({ length: rows * width }, (_, i) => {
    return x[Math.floor(i / width) * total + from + (i % width)]!;
  });
}

export function sliceBackward(dy: Vec, total: number, from: number, width: number): Vec {
  const dx = new Float64Array((dy.length / width) * total);
  for (const [i, value] of dy.entries())
    dx[Math.floor(i / width) * total + from + (i % width)] = value;
  return dx;
}

/** The valid steps of every row in the opposite order, zeros after them. */
export function reversed(x: Vec, { steps, batch, lengths }: Dims): Vec {
  const y = new Float64Array(x.length);
  const width = x.length / (steps * batch);
  for (let b = 0; b < batch; b++) {
    const length = lengths?.[b] ?? steps;
    for (let t = 0; t < length; t++) {
      const from = ((length - 1 - t) * batch + b) * width;
      y.set(x.subarray(from, from + width), (t * batch + b) * width);
    }
  }
  return y;
}
