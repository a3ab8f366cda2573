/**
 * The product of two matrices wherever their elements lie: to [M, N] = a [M, K] b [K, N], or +=.
 * Each element is one sum in the order of K (matrix/gemm.ts), which reads whole vectors of b and
 * writes whole vectors: what is not made of such is laid out in scratch.
 */

import { Product } from '../base/structs';
import { ZEROS } from '../base/tables';
import { copyTap } from '../layers/rows';
import { product } from '../matrix/gemm';

/** Rows of results in scratch. */
const ROWS: i32 = 96;


@unmanaged
export class Matrix {
  /** M, K, N */
  rows: i32;
  depth: i32;
  columns: i32;
  /** Bytes from row to row of a, and from column to column. */
  aRow: i32;
  aColumn: i32;
  /** The same of b; both 0 where b lies in panels of four vectors. */
  bRow: i32;
  bColumn: i32;
  toRow: i32;
  /** Whether the product is added to what is there. */
  isAdded: i32;
  /** [K, N up to whole panels] scratch: panels; 0 where b is read as it lies. */
  panels: usize;
  /** [96 or M, N up to whole vectors] scratch, where N is no multiple of four. */
  block: usize;
  /** scratch */
  product: Product;
}

/** Lays b out in panels; zeros where no column is. */
function pack(d: Matrix, b: usize): void {
  let to = d.panels;
  for (let first = 0; first < d.columns; first += 16) {
    const n = min(d.columns - first, 16);
    for (let k = 0; k < d.depth; k++) {
      let from = b + k * d.bRow + first * d.bColumn;
      if (d.bColumn == 4) copyTap(to, from, n);
      else {
        for (let j = 0; j < n; j++) {
          store<f32>(to + (j << 2), load<f32>(from));
          from += d.bColumn;
        }
      }
      for (let j = n; j < 16; j++) store<f32>(to + (j << 2), 0);
      to += 64;
    }
  }
}

/**
 * to [rows, columns] += a b or = a b with b in vectors of `bDepth` bytes from row to row of it and
 * `bPanel` from panel to panel.
 */
export function productOf(
  d: Matrix,
  to: usize,
  a: usize,
  b: usize,
  bDepth: i32,
  bPanel: i32,
  columns: i32,
): void {
  const g = d.product;
  const isWhole = (columns & 3) == 0;
  const vectors = (columns + 3) >> 2;
  const row = isWhole ? d.toRow : vectors << 4;
  const step = isWhole ? d.rows : ROWS;
  for (let first = 0; first < d.rows; first += step) {
    const n = min(d.rows - first, step);
    const at = to + first * d.toRow;
    const c = isWhole ? at : d.block;
    if (!isWhole && d.isAdded) {
      for (let r = 0; r < n; r++) copyTap(c + r * row, at + r * d.toRow, columns);
    }
    g.rows = n;
    g.depth = d.depth;
    g.vectors = vectors;
    g.panelVectors = 4;
    g.a = a + first * d.aRow;
    g.aRow = d.aRow;
    g.aDepth = d.aColumn;
    g.b = b;
    g.bDepth = bDepth;
    g.bPanel = bPanel;
    g.c = c;
    g.cRow = row;
    g.cPanel = 64;
    g.i = d.isAdded ? c : ZEROS;
    g.iRow = d.isAdded ? row : 0;
    g.iPanel = d.isAdded ? 64 : 0;
    product(changetype<usize>(g));
    if (isWhole) continue;
    for (let r = 0; r < n; r++) copyTap(at + r * d.toRow, c + r * row, columns);
  }
}

export function multiply(d: Matrix, to: usize, a: usize, b: usize): void {
  if (d.panels) pack(d, b);
  const isPlain = !d.panels && d.bRow != 0;
  const from = d.panels ? d.panels : b;
  if (isPlain) productOf(d, to, a, from, d.bRow, 64, d.columns);
  else productOf(d, to, a, from, 64, d.depth << 6, d.columns);
}
