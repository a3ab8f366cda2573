/** The recurrent product of a step, and the way of a gradient back through it. */

import { productOfPanels } from '../matrix/gemm';
import { productInt8 } from '../matrix/int8';
import { Sequence } from '../base/structs';
import { ZEROS } from '../base/tables';

/** Whether a state reaches the gates through a matrix. */
// @ts-ignore: decorator
@inline
export function hasMatrix(q: Sequence): bool {
  return q.depth != 0;
}

/**
 * sums [B, columns] = initial + a R, for columns from `first` on; `initial` is a row for all, or
 * the sums themselves. Steps take the panels from the first to the last and from the last to the
 * first in turn: where R is larger than a cache, what a step has read at its end is still there
 * when the next one begins with it.
 */
export function recurrentProduct(
  q: Sequence,
  a: usize,
  aRow: i32,
  first: i32,
  columns: i32,
  initial: usize,
  sums: usize,
): void {
  const vectors = columns >> 2;
  const isOdd = q.isOdd != 0;
  if (q.recurrentInt8) {
    const row = initial == sums ? q.gateRow : 0;
    const panel = first >> 4;
    const g = q.recurrentInt8;
    return productInt8(g, q.active, a, aRow, panel, vectors, initial, row, sums, q.gateRow, isOdd);
  }
  productOfPanels(
    q.product,
    q.active,
    a,
    aRow,
    q.depth,
    q.r + ((first * q.depth) << 2),
    q.depth,
    vectors,
    q.panelVectors,
    initial,
    sums,
    q.gateRow,
    isOdd,
  );
}

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
    q.isOdd != 0,
  );
}
