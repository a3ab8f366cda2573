/** The way of a gradient from the gates of a step to the state before it. */

import { productOfPanels } from './gemm';
import { Sequence } from './layout';
import { ZEROS } from './tables';

/** target [B, Hp] (+)= rows [B, depth] of gate gradients times rows `first`.. of R^T. */
export function throughRecurrent(
  q: Sequence,
  gradients: usize,
  first: i32,
  depth: i32,
  target: usize,
  accumulate: bool,
): void {
  productOfPanels(
    q.product,
    q.active,
    gradients + (first << 2),
    q.gateRow,
    depth,
    q.rTransposed + (first << 6),
    q.columns,
    (q.depth + 3) >> 2,
    4,
    accumulate ? target : ZEROS,
    target,
    q.stateRow,
  );
}
