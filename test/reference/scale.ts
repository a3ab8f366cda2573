/** Constants: y = x factor + offset, each a number or a list of one for each feature. */
import type { Vec } from './math.ts';

export type Constant = number | readonly number[];

const at = (constant: Constant, k: number): number =>
  typeof constant === 'number' ? constant : constant[k]!;

/** x: [rows, width]. With an offset of 0 the gradient of x from that of y. */
export function scaled(x: Vec, width: number, factor: Constant, offset: Constant): Vec {
  return x.map((value, i) => value * at(factor, i % width) + at(offset, i % width));
}
