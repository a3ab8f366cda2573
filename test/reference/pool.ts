/**
 * Many to one over x [T, B, W], one number at a time, T being the valid steps of its row, of a mean
 * those that are not masked; 0 where there is none:
 *
 *     last:  y = x_(T-1)
 *     mean:  y = sum_t x_t / T
 *     max:   y = max_t x_t, its gradient to the first t where it is
 */
import type { Masked } from './masking.ts';
import type { Vec } from './math.ts';
import type { Dims } from './stack.ts';

export type PoolMode = 'last' | 'mean' | 'max';

/** The weights [T] of the steps of one element: y = sum_t weight_t x_t. They are also dy/dx. */
function weights(mode: PoolMode, values: number[], isMasked: (t: number) => boolean): number[] {
  const { length } = values;
  if (mode === 'mean') {
    const left = values.filter((_, t) => !isMasked(t)).length;
    return values.map((_, t) => (isMasked(t) ? 0 : 1 / left));
  }
  const chosen = mode === 'last' ? length - 1 : values.indexOf(Math.max(...values));
  return values.map((_, t) => Number(t === chosen));
}

/** The valid numbers at one place [B, W]. */
function column(x: Vec, at: number, { steps, batch, lengths }: Dims): number[] {
  const [size, row] = [x.length / steps, Math.floor((at * steps * batch) / x.length)];
  return Array.from({ length: lengths?.[row] ?? steps }, (_, t) => x[t * size + at]!);
}

/** Which steps of the row of one place [B, W] are masked. */
function maskedAt(masked: Masked | undefined, at: number, width: number, { batch }: Dims) {
  const row = Math.floor(at / width);
  return (t: number): boolean => masked?.[t * batch + row] ?? false;
}

export function poolForward(mode: PoolMode, x: Vec, dims: Dims, masked?: Masked): Vec {
  const width = x.length / (dims.steps * dims.batch);
  return Float64Array.from({ length: x.length / dims.steps }, (_, at) => {
    const values = column(x, at, dims);
    const own = weights(mode, values, maskedAt(masked, at, width, dims));
    return own.reduce((sum, weight, t) => sum + weight * values[t]!, 0);
  });
}

/** dx from dy [B, W]. */
export function poolBackward(mode: PoolMode, x: Vec, dy: Vec, dims: Dims, masked?: Masked): Vec {
  const width = x.length / (dims.steps * dims.batch);
  const dx = new Float64Array(x.length);
  dy.forEach((slope, at) => {
    const own = weights(mode, column(x, at, dims), maskedAt(masked, at, width, dims));
    own.forEach((weight, t) => {
      dx[t * dy.length + at] = weight * slope;
    });
  });
  return dx;
}
