/**
 * The affine map of every row, y = x W^T + b.
 *
 *   dW += x^T dy      db += sum of dy over the rows      dx = dy W
 */

import { Int8Product, Product } from '../base/structs';
import { columnSums, productOfPanels, productOverRows } from '../matrix/gemm';
import { productInt8 } from '../matrix/int8';
import { transposePanels } from '../matrix/panels';
import { ZEROS } from '../base/tables';
import { addToRows } from '../base/vectors';

/** y = x W^T + b over M rows. */
@unmanaged
export class Dense {
  rows: i32;
  inputs: i32;
  /** Columns rounded up to a multiple of four. */
  outputs: i32;
  xRow: i32;
  yRow: i32;
  dxRow: i32;
  /** [M, I] in */
  x: usize;
  /** [M, O] out; in the backward pass in: its gradient. */
  y: usize;
  /** [M, I] out, or 0 where it is not wanted. */
  dx: usize;
  /** What takes the place of w where the weights have 8 bits; 0 where they do not. */
  int8: Int8Product;
  /** Panels [I, O], vector [O], panels [O, I] derived. */
  w: usize;
  bias: usize;
  wTransposed: usize;
  /** inout, accumulate; the bias in f64. */
  dw: usize;
  dBias: usize;
  /** Where dw is put aside, like dw, or 0; rows of the window after these. */
  dwRest: usize;
  summed: i32;
  /** scratch */
  product: Product;
}

/** y of `rows` rows from row `first` on. */
export function denseOutputs(d: Dense, first: i32, rows: i32): void {
  const y = d.y + first * d.yRow;
  const x = d.x + first * d.xRow;
  const wide = d.outputs >> 2;
  if (d.int8) {
    const bias = d.bias ? d.bias : ZEROS;
    return productInt8(d.int8, rows, x, d.xRow, 0, wide, bias, 0, y, d.yRow, false);
  }
  productOfPanels(d.product, rows, x, d.xRow, d.inputs, d.w, d.inputs, wide, 4, ZEROS, y, d.yRow);
  addToRows(y, d.yRow, rows, wide, d.bias);
}

/** dW and db in the columns of panels `panel` to `end`. */
export function denseWeights(d: Dense, panel: i32, end: i32): void {
  const at = panel << 6;
  const vectors = min(end << 2, d.outputs >> 2) - (panel << 2);
  const y = d.y + at;
  const dw = d.dw + d.inputs * at;
  const rest = d.dwRest ? d.dwRest + d.inputs * at : 0;
  const p = d.product;
  const n = d.inputs;
  productOverRows(p, d.rows, d.x, d.xRow, n, y, d.yRow, vectors, 4, dw, rest, d.summed);
  if (d.bias) columnSums(d.dBias + 2 * at, y, d.yRow, d.rows, vectors);
}

/** dx of `rows` rows from row `first` on. */
export function denseInputs(d: Dense, first: i32, rows: i32): void {
  if (!d.dx) return;
  const y = d.y + first * d.yRow;
  const dx = d.dx + first * d.dxRow;
  const w = d.wTransposed;
  const wide = (d.inputs + 3) >> 2;
  productOfPanels(d.product, rows, y, d.yRow, d.outputs, w, d.outputs, wide, 4, ZEROS, dx, d.dxRow);
}

/** Panels of the outputs. */
export function densePanels(d: Dense): i32 {
  return (d.outputs + 15) >> 4;
}

export function denseForward(descriptor: usize): void {
  const d = changetype<Dense>(descriptor);
  denseOutputs(d, 0, d.rows);
}

export function denseBackward(descriptor: usize): void {
  const d = changetype<Dense>(descriptor);
  denseWeights(d, 0, densePanels(d));
  denseInputs(d, 0, d.rows);
}

export function densePrepare(descriptor: usize): void {
  const d = changetype<Dense>(descriptor);
  if (d.wTransposed) transposePanels(d.wTransposed, d.w, d.inputs, d.outputs, 4);
}
