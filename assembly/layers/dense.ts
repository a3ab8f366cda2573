/**
 * The affine map of every row, y = x W^T + b, and the look-up of rows in a table.
 *
 *   dW += x^T dy      db += sum of dy over the rows      dx = dy W
 */

import { within } from '../base/bounds';
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

/** out [M, width] = rows `tokens` [M] of the table, which has `count`. */
export function embeddingForward(
  out: usize,
  table: usize,
  count: i32,
  tokens: usize,
  rows: i32,
  rowBytes: i32,
): void {
  for (let r = 0; r < rows; r++) {
    memory.copy(out, table + within(load<i32>(tokens), count) * rowBytes, rowBytes);
    out += rowBytes;
    tokens += 4;
  }
}

/** dTable [count, width] += rows of dOut [M, width] where their tokens say, the last row first. */
export function embeddingBackward(
  dTable: usize,
  count: i32,
  dOut: usize,
  tokens: usize,
  rows: i32,
  rowBytes: i32,
): void {
  for (let r = rows - 1; r >= 0; r--) {
    const to = dTable + within(load<i32>(tokens + (r << 2)), count) * rowBytes;
    const from = dOut + r * rowBytes;
    for (let v = 0; v < rowBytes; v += 16) {
      v128.store(to + v, f32x4.add(v128.load(to + v), v128.load(from + v)));
    }
  }
}
