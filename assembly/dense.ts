/**
 * The affine map of every row, y = x W^T + b, and the look-up of rows in a table.
 *
 *   dW += x^T dy      db += sum of dy over the rows      dx = dy W
 */

import { columnSums, productOfPanels, productOverRows } from './gemm';
import { Dense } from './layout';
import { transposePanels } from './pack';
import { ZEROS } from './tables';

export function denseForward(d: Dense): void {
  productOfPanels(
    d.product,
    d.rows,
    d.x,
    d.xRow,
    d.inputs,
    d.w,
    d.inputs,
    d.outputs >> 2,
    4,
    d.bias ? d.bias : ZEROS,
    d.y,
    d.yRow,
  );
}

export function denseBackward(d: Dense): void {
  const vectors = d.outputs >> 2;
  productOverRows(d.product, d.rows, d.x, d.xRow, d.inputs, d.y, d.yRow, vectors, 4, d.dw);
  if (d.bias) columnSums(d.dBias, d.y, d.yRow, d.rows, vectors);
  if (d.dx) {
    productOfPanels(
      d.product,
      d.rows,
      d.y,
      d.yRow,
      d.outputs,
      d.wTransposed,
      d.outputs,
      (d.inputs + 3) >> 2,
      4,
      ZEROS,
      d.dx,
      d.dxRow,
    );
  }
}

export function densePrepare(d: Dense): void {
  if (d.wTransposed) transposePanels(d.wTransposed, d.w, d.inputs, d.outputs, 4);
}

/** out [M, width] = rows `tokens` [M] of the table. */
export function embeddingForward(
  out: usize,
  table: usize,
  tokens: usize,
  rows: i32,
  rowBytes: i32,
): void {
  for (let r = 0; r < rows; r++) {
    memory.copy(out, table + load<i32>(tokens) * rowBytes, rowBytes);
    out += rowBytes;
    tokens += 4;
  }
}

/** dTable [V, width] += rows of dOut [M, width] where their tokens say, the last row first. */
export function embeddingBackward(
  dTable: usize,
  dOut: usize,
  tokens: usize,
  rows: i32,
  rowBytes: i32,
): void {
  for (let r = rows - 1; r >= 0; r--) {
    const to = dTable + load<i32>(tokens + (r << 2)) * rowBytes;
    const from = dOut + r * rowBytes;
    for (let v = 0; v < rowBytes; v += 16) {
      v128.store(to + v, f32x4.add(v128.load(to + v), v128.load(from + v)));
    }
  }
}
