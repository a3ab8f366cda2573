/**
 * The drivers of the matrix products. Every element of C is one sum in the order of the depth, whatever tile computes it, so that
 * neither the number of rows nor a cut through the depth changes a bit of the result.
 */

import {
  product_1x1x1,
  product_1x1x3,
  product_1x1x4,
  product_1x2x3,
  product_1x2x4,
  product_6x1x1,
  product_6x2x1,
} from './gen/tiles';
import { Product } from './layout';
import { ZEROS } from './tables';

/** Depth of a block: 256 rows of an 8-column strip are 8 KB, which stay in the first-level cache with the rows of A. */
const DEPTH_BLOCK: i32 = 512;
/** Rows of a block: 96 rows of A, 512 deep, are 192 KB of the second-level cache. */
const ROW_BLOCK: i32 = 96;
const TILE_ROWS: i32 = 6;

/** C = I + A B. */
export function product(g: Product): void {
  let left = g.depth;
  while (left > 0) {
    const depth = min(left, DEPTH_BLOCK);
    for (let row = 0; row < g.rows; row += ROW_BLOCK) {
      const rows = min(g.rows - row, ROW_BLOCK);
      const tiled = rows - (rows % TILE_ROWS);
      if (tiled) tallBlock(g, depth, row, tiled);
      for (let r = row + tiled; r < row + rows; r++) singleRow(g, depth, r);
    }
    left -= depth;
    g.a += depth * g.aDepth;
    g.b += depth * g.bDepth;
    g.i = g.c;
    g.iRow = g.cRow;
    g.iPanel = g.cPanel;
  }
}

/** A multiple of six rows, two vectors of columns at a time; a pair may straddle two panels. */
function tallBlock(g: Product, depth: i32, row: i32, rows: i32): void {
  const width = g.panelVectors;
  const a0 = g.a + row * g.aRow;
  const i0 = g.i + row * g.iRow;
  const c0 = g.c + row * g.cRow;
  let panel = 0;
  let vector = 0;
  for (let left = g.vectors; left > 0; left -= 2) {
    let b = g.b + panel * g.bPanel + (vector << 4);
    let i = i0 + panel * g.iPanel + (vector << 4);
    let c = c0 + panel * g.cPanel + (vector << 4);
    const bFirst = b;
    let iFirst = i;
    let cFirst = c;
    if (++vector == width) {
      vector = 0;
      panel++;
    }
    b = g.b + panel * g.bPanel + (vector << 4);
    i = i0 + panel * g.iPanel + (vector << 4);
    c = c0 + panel * g.cPanel + (vector << 4);
    if (++vector == width) {
      vector = 0;
      panel++;
    }
    let a = a0;
    for (let r = 0; r < rows; r += TILE_ROWS) {
      if (left > 1) product_6x2x1(g, depth, a, bFirst, b, iFirst, i, cFirst, c);
      else product_6x1x1(g, depth, a, bFirst, iFirst, cFirst);
      a += TILE_ROWS * g.aRow;
      iFirst += TILE_ROWS * g.iRow;
      i += TILE_ROWS * g.iRow;
      cFirst += TILE_ROWS * g.cRow;
      c += TILE_ROWS * g.cRow;
    }
  }
}

/** One row, two panels at a time, then what is left of them. */
function singleRow(g: Product, depth: i32, row: i32): void {
  const width = g.panelVectors;
  const a = g.a + row * g.aRow;
  let b = g.b;
  let i = g.i + row * g.iRow;
  let c = g.c + row * g.cRow;
  let left = g.vectors;
  for (; left >= 2 * width; left -= 2 * width) {
    const bNext = b + g.bPanel;
    const iNext = i + g.iPanel;
    const cNext = c + g.cPanel;
    if (width == 4) product_1x2x4(g, depth, a, b, bNext, i, iNext, c, cNext);
    else product_1x2x3(g, depth, a, b, bNext, i, iNext, c, cNext);
    b = bNext + g.bPanel;
    i = iNext + g.iPanel;
    c = cNext + g.cPanel;
  }
  if (left >= width) {
    if (width == 4) product_1x1x4(g, depth, a, b, i, c);
    else product_1x1x3(g, depth, a, b, i, c);
    b += g.bPanel;
    i += g.iPanel;
    c += g.cPanel;
    left -= width;
  }
  for (; left > 0; left--) {
    product_1x1x1(g, depth, a, b, i, c);
    b += 16;
    i += 16;
    c += 16;
  }
}

/**
 * C += A^T B over the rows of a sequence, the last row first: gradients of weights. A [rows, depth of the weights],
 * B [rows, columns], C panels.
 */
export function productOverRows(
  g: Product,
  rows: i32,
  a: usize,
  aRow: i32,
  inputs: i32,
  b: usize,
  bRow: i32,
  vectors: i32,
  panelVectors: i32,
  c: usize,
): void {
  g.rows = inputs;
  g.depth = rows;
  g.vectors = vectors;
  g.panelVectors = panelVectors;
  g.a = a + (rows - 1) * aRow;
  g.aRow = 4;
  g.aDepth = -aRow;
  g.b = b + (rows - 1) * bRow;
  g.bDepth = -bRow;
  g.bPanel = panelVectors << 4;
  g.c = c;
  g.cRow = panelVectors << 4;
  g.cPanel = inputs * (panelVectors << 4);
  g.i = c;
  g.iRow = g.cRow;
  g.iPanel = g.cPanel;
  product(g);
}

/**
 * C = I + A W for rows that lie one after the other; W in panels [depth, columns]. `initial` is a row, used for all rows (iRow 0),
 * or C itself.
 */
export function productOfPanels(
  g: Product,
  rows: i32,
  a: usize,
  aRow: i32,
  depth: i32,
  w: usize,
  wDepth: i32,
  vectors: i32,
  panelVectors: i32,
  initial: usize,
  c: usize,
  cRow: i32,
): void {
  g.rows = rows;
  g.depth = depth;
  g.vectors = vectors;
  g.panelVectors = panelVectors;
  g.a = a;
  g.aRow = aRow;
  g.aDepth = 4;
  g.b = w;
  g.bDepth = panelVectors << 4;
  g.bPanel = wDepth * (panelVectors << 4);
  g.c = c;
  g.cRow = cRow;
  g.cPanel = panelVectors << 4;
  g.i = initial;
  const fromZeros = initial == ZEROS;
  g.iRow = initial == c ? cRow : 0;
  g.iPanel = fromZeros ? 0 : panelVectors << 4;
  product(g);
}

/** sums[N] += the columns of `rows` rows, the last row first. */
export function columnSums(sums: usize, b: usize, bRow: i32, rows: i32, vectors: i32): void {
  for (let v = 0; v < vectors; v++) {
    let x = v128.load(sums);
    let p = b + (rows - 1) * bRow;
    for (let r = 0; r < rows; r++) {
      x = f32x4.add(x, v128.load(p));
      p -= bRow;
    }
    v128.store(sums, x);
    sums += 16;
    b += 16;
  }
}
