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

/** Whether row number `row` of [T, B] is a valid step. */
export const isValid = ({ batch, lengths }: Dims, row: number): boolean =>
  !lengths || Math.floor(row / batch) < lengths[row % batch]!;

/** What is known of the steps within each row: as many for every one that is there. */
export function unfoldDims(dims: Dims, steps: number, isRow: boolean): Dims {
  const batch = dims.steps * dims.batch;
  if (isRow) return { steps, batch };
  if (!dims.lengths) return { steps, batch, outer: dims };
  const lengths = Array.from({ length: batch }, (_, row) => (isValid(dims, row) ? steps : 0));
  return { steps, batch, lengths, outer: dims };
}

/** Rows [M, K F] as K steps of each, [K, M, F]. */
export function unfolded(x: Vec, steps: number, rows: number): Vec {
  const y = new Float64Array(x.length);
  const width = x.length / (steps * rows);
  for (let k = 0; k < steps; k++) {
    for (let row = 0; row < rows; row++) {
      const from = (row * steps + k) * width;
      y.set(x.subarray(from, from + width), (k * rows + row) * width);
    }
  }
  return y;
}

/** K steps of every row, [K, M, F], as [M, K F]; zeros for the steps that a row does not have. */
export function folded(x: Vec, { steps, batch, lengths }: Dims): Vec {
  const y = new Float64Array(x.length);
  const width = x.length / (steps * batch);
  for (let row = 0; row < batch; row++) {
    for (let k = 0; k < (lengths?.[row] ?? steps); k++) {
      const from = (k * batch + row) * width;
      y.set(x.subarray(from, from + width), (row * steps + k) * width);
    }
  }
  return y;
}

/** The same row at each of some steps, and the sum of the gradients of all. */
export function repeated(x: Vec, steps: number): Vec {
  return Float64Array.from({ length: steps * x.length }, (_, k) => x[k % x.length]!);
}

export function repeatedBackward(dy: Vec, steps: number): Vec {
  const length = dy.length / steps;
  return Float64Array.from({ length }, (_, k) => {
    return Array.from({ length: steps }, (_unused, t) => dy[t * length + k]!).reduce(
      (a, b) => a + b,
    );
  });
}
