/**
 * The affine map of every row, y = x W^T + b.
 *
 *   dW += x^T dy      db += sum of dy over the rows      dx = dy W
 */

import { columnSums, productOfPanels, productOverRows } from '../matrix/gemm';
import { productInt8 } from '../matrix/int8';
import { Dense } from '../base/structs';
import { transposePanels } from '../matrix/panels';
import { ZEROS } from '../base/tables';

/** y of `rows` rows from row `first` on. */
export function denseOutputs(d: Dense, first: i32, rows: i32): void {
  const y = d.y + first * d.yRow;
  const bias = d.bias ? d.bias : ZEROS;
  const x = d.x + first * d.xRow;
  const wide = d.outputs >> 2;
  if (d.int8) return productInt8(d.int8, rows, x, d.xRow, 0, wide, bias, 0, y, d.yRow, false);
  productOfPanels(d.product, rows, x, d.xRow, d.inputs, d.w, d.inputs, wide, 4, bias, y, d.yRow);
}

/** dW and db in the columns of panels `panel` to `end`. */
export function denseWeights(d: Dense, panel: i32, end: i32): void {
  const at = panel << 6;
  const vectors = min(end << 2, d.outputs >> 2) - (panel << 2);
  const y = d.y + at;
  const dw = d.dw + d.inputs * at;
  productOverRows(d.product, d.rows, d.x, d.xRow, d.inputs, y, d.yRow, vectors, 4, dw);
  if (d.bias) columnSums(d.dBias + at, y, d.yRow, d.rows, vectors);
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

export function denseForward(d: Dense): void {
  denseOutputs(d, 0, d.rows);
}

export function denseBackward(d: Dense): void {
  denseWeights(d, 0, densePanels(d));
  denseInputs(d, 0, d.rows);
}

export function densePrepare(d: Dense): void {
  if (d.wTransposed) transposePanels(d.wTransposed, d.w, d.inputs, d.outputs, 4);
}
