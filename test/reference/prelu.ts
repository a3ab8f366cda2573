/**
 * A rectifier of rows [rows, width], with a slope [width] below 0, or one [1] for all features:
 *
 *     y = x where x >= 0, else a x      dx = dy, or a dy      da = sum of x dy where x < 0
 */
import type { Vec } from './math.ts';

/** The slope of element i of all rows, by its place. */
const slopeAt = (i: number, width: number, slopes: Vec): number =>
  slopes.length === 1 ? 0 : i % width;

export function preluForward(slopes: Vec, x: Vec, width: number): Vec {
  return x.map((value, i) => (value >= 0 ? value : slopes[slopeAt(i, width, slopes)]! * value));
}

/** Gives dx, adds to da. */
export function preluBackward(slopes: Vec, da: Vec, x: Vec, dy: Vec, width: number): Vec {
  return dy.map((d, i) => {
    if (x[i]! >= 0) return d;
    const k = slopeAt(i, width, slopes);
    da[k]! += d * x[i]!;
    return d * slopes[k]!;
  });
}
