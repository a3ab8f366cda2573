/**
 * The drivers of the matrix products. Every element of C is one sum in the order of the depth,
 * whatever tile computes it, so that neither the number of rows nor a cut through the depth changes
 * a bit of the result.
 */

import {
  product_1x1x1,
  product_1x1x3,
  product_1x1x4,
  product_1x2x3,
  product_1x2x4,
  product_1x3x3,
  product_1x3x4,
  product_2x1x1,
  product_2x1x3,
  product_2x1x4,
  product_3x1x1,
  product_3x1x2,
  product_3x1x4,
  product_3x2x1,
  product_4x1x1,
  product_4x1x2,
  product_4x1x4,
  product_4x2x1,
  product_5x1x1,
  product_5x1x2,
  product_5x1x4,
  product_5x2x1,
  product_6x1x1,
  product_6x1x2,
  product_6x1x4,
  product_6x2x1,
} from './gen/tiles';
import { Product } from '../base/structs';
import { widenHigh, widenLow } from '../base/simd';
import { ZEROS } from '../base/tables';
import { putAside } from '../base/vectors';
import { TILES_SMALL, TILES_WIDE } from '../shared/codes';
import { SUM_ROWS } from '../shared/tuning';

/**
 * Depth of a block: 512 rows of half a panel are as many lines, 32 KB, which stay in the
 * first-level cache with the rows of A.
 */
const DEPTH_BLOCK: i32 = 512;
/**
 * Where A is read by columns: 64 stretches of 96 numbers are 24 KB, which stay in the first-level
 * cache for all columns of B.
 */
const COLUMNS_BLOCK: i32 = 64;
/** Rows of a block: 96 rows of A, 512 deep, are 192 KB of the second-level cache. */
const ROW_BLOCK: i32 = 96;
/**
 * Rows of the tallest tile: 12 sums, and a register more for the product where it is not one with
 * its sum. Of small tiles 8 sums.
 */
const TALLEST: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;
const TALLEST_SMALL: i32 = 4;

// @ts-ignore: decorator
@external('env', 'tiles')
declare const TILES: i32;

/** C = I + A B. */
export function product(descriptor: usize): void {
  const g = changetype<Product>(descriptor);
  // One or two rows use every number of B once: blocks would keep nothing.
  const block = g.rows < 3 ? g.depth : g.aRow == 4 ? COLUMNS_BLOCK : DEPTH_BLOCK;
  let left = g.depth;
  while (left > 0) {
    const depth = min(left, block);
    for (let row = 0; row < g.rows; row += ROW_BLOCK) {
      const rows = min(g.rows - row, ROW_BLOCK);
      if (rows < 3) flatBlock(g, depth, row, rows);
      else tallBlock(g, depth, row, rows);
    }
    left -= depth;
    g.a += depth * g.aDepth;
    g.b += depth * g.bDepth;
    g.i = g.c;
    g.iRow = g.cRow;
    g.iPanel = g.cPanel;
  }
}

/**
 * Three rows or more in tiles of nearly the same height, two vectors of columns at a time, or a
 * panel of four. Where panels have three vectors, a pair may straddle two of them.
 */
function tallBlock(g: Product, depth: i32, row: i32, rows: i32): void {
  const width = g.panelVectors;
  const tallest = TILES == TILES_SMALL ? TALLEST_SMALL : TALLEST;
  // Five rows are one tile even so: no tile has two.
  const tiles = rows < 6 ? 1 : (rows + tallest - 1) / tallest;
  const i0 = g.i + row * g.iRow;
  const c0 = g.c + row * g.cRow;
  let panel = 0;
  let vector = 0;
  let left = g.vectors;
  while (left > 0) {
    const within = vector << 4;
    const bFirst = g.b + panel * g.bPanel + within;
    let iFirst = i0 + panel * g.iPanel + within;
    let cFirst = c0 + panel * g.cPanel + within;
    const isWhole = TILES == TILES_WIDE && width == 4 && left >= 4;
    const straddles = vector + 1 == width && left > 1;
    const b = bFirst - within + g.bPanel;
    let i = iFirst - within + g.iPanel;
    let c = cFirst - within + g.cPanel;
    let a = g.a + row * g.aRow;
    let rest = rows;
    for (let count = tiles; count > 0; count--) {
      const height = (rest + count - 1) / count;
      if (isWhole) whole(g, height, depth, a, bFirst, iFirst, cFirst);
      else if (straddles) apart(g, height, depth, a, bFirst, b, iFirst, i, cFirst, c);
      else if (left > 1) together(g, height, depth, a, bFirst, iFirst, cFirst);
      else alone(g, height, depth, a, bFirst, iFirst, cFirst);
      rest -= height;
      a += height * g.aRow;
      iFirst += height * g.iRow;
      i += height * g.iRow;
      cFirst += height * g.cRow;
      c += height * g.cRow;
    }
    const vectors = isWhole ? 4 : 2;
    left -= vectors;
    vector += vectors;
    if (vector >= width) {
      vector -= width;
      panel++;
    }
  }
}

/** A panel of four vectors. */
// @ts-ignore: decorator
@inline
function whole(g: Product, height: i32, depth: i32, a: usize, b: usize, i: usize, c: usize): void {
  if (TALLEST == 6 && height == 6) product_6x1x4(g, depth, a, b, i, c);
  else if (height == 5) product_5x1x4(g, depth, a, b, i, c);
  else if (height == 4) product_4x1x4(g, depth, a, b, i, c);
  else product_3x1x4(g, depth, a, b, i, c);
}

/** Two vectors of a panel. */
// @ts-ignore: decorator
@inline
function together(
  g: Product,
  height: i32,
  depth: i32,
  a: usize,
  b: usize,
  i: usize,
  c: usize,
): void {
  if (TALLEST == 6 && height == 6) product_6x1x2(g, depth, a, b, i, c);
  else if (height == 5) product_5x1x2(g, depth, a, b, i, c);
  else if (height == 4) product_4x1x2(g, depth, a, b, i, c);
  else product_3x1x2(g, depth, a, b, i, c);
}

/** The last vector of a panel and the first of the next. */
// @ts-ignore: decorator
@inline
function apart(
  g: Product,
  height: i32,
  depth: i32,
  a: usize,
  b0: usize,
  b1: usize,
  i0: usize,
  i1: usize,
  c0: usize,
  c1: usize,
): void {
  if (TALLEST == 6 && height == 6) product_6x2x1(g, depth, a, b0, b1, i0, i1, c0, c1);
  else if (height == 5) product_5x2x1(g, depth, a, b0, b1, i0, i1, c0, c1);
  else if (height == 4) product_4x2x1(g, depth, a, b0, b1, i0, i1, c0, c1);
  else product_3x2x1(g, depth, a, b0, b1, i0, i1, c0, c1);
}

// @ts-ignore: decorator
@inline
function alone(g: Product, height: i32, depth: i32, a: usize, b: usize, i: usize, c: usize): void {
  if (TALLEST == 6 && height == 6) product_6x1x1(g, depth, a, b, i, c);
  else if (height == 5) product_5x1x1(g, depth, a, b, i, c);
  else if (height == 4) product_4x1x1(g, depth, a, b, i, c);
  else product_3x1x1(g, depth, a, b, i, c);
}

/** One row or two: whole panels, then what is left of the last one. */
function flatBlock(g: Product, depth: i32, row: i32, rows: i32): void {
  const width = g.panelVectors;
  const a = g.a + row * g.aRow;
  const bStep = g.bPanel;
  const iStep = g.iPanel;
  const cStep = g.cPanel;
  let b = g.b;
  let i = g.i + row * g.iRow;
  let c = g.c + row * g.cRow;
  let left = g.vectors;
  while (left >= width) {
    const panels = rows == 2 ? 1 : panelsTogether(left / width, width);
    const b1 = b + bStep;
    const i1 = i + iStep;
    const c1 = c + cStep;
    const b2 = b1 + bStep;
    const i2 = i1 + iStep;
    const c2 = c1 + cStep;
    if (width == 4) {
      if (rows == 2) product_2x1x4(g, depth, a, b, i, c);
      else if (panels == 3) product_1x3x4(g, depth, a, b, b1, b2, i, i1, i2, c, c1, c2);
      else if (panels == 2) product_1x2x4(g, depth, a, b, b1, i, i1, c, c1);
      else product_1x1x4(g, depth, a, b, i, c);
    } else {
      if (rows == 2) product_2x1x3(g, depth, a, b, i, c);
      else if (panels == 3) product_1x3x3(g, depth, a, b, b1, b2, i, i1, i2, c, c1, c2);
      else if (panels == 2) product_1x2x3(g, depth, a, b, b1, i, i1, c, c1);
      else product_1x1x3(g, depth, a, b, i, c);
    }
    b += panels * bStep;
    i += panels * iStep;
    c += panels * cStep;
    left -= panels * width;
  }
  for (; left > 0; left--) {
    if (rows == 2) product_2x1x1(g, depth, a, b, i, c);
    else product_1x1x1(g, depth, a, b, i, c);
    b += 16;
    i += 16;
    c += 16;
  }
}

/**
 * How many of the panels that are left one tile takes: three, unless that would leave a single one
 * for the next. A small tile has two of three vectors, or one of four.
 */
// @ts-ignore: decorator
@inline
function panelsTogether(left: i32, width: i32): i32 {
  if (TILES == TILES_SMALL) return width == 3 ? min(left, 2) : 1;
  return left == 4 ? 2 : min(left, 3);
}

/**
 * C += A^T B over the rows of a sequence, the last row first: gradients of weights. A [rows, depth
 * of the weights], B [rows, columns], C panels. Where there is a rest, C is put aside there after
 * every block of rows; `summed` rows came after these.
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
  rest: usize,
  summed: i32,
): void {
  const panels = (vectors + panelVectors - 1) / panelVectors;
  while (rows > 0) {
    const n = rest ? min(rows, leftInBlock(summed)) : rows;
    const first = rows - n;
    const from = b + first * bRow;
    blockOverRows(g, n, a + first * aRow, aRow, inputs, from, bRow, vectors, panelVectors, c);
    summed += n;
    if (rest && endsBlock(summed)) putAside(c, rest, panels * inputs * (panelVectors << 2));
    rows = first;
  }
}

/** Rows until a block ends, after `summed` rows; blocks count from the last row of a window. */
// @ts-ignore: decorator
@inline
export function leftInBlock(summed: i32): i32 {
  return SUM_ROWS - (summed & (SUM_ROWS - 1));
}

/** Whether a block has ended with the last of `summed` rows. */
// @ts-ignore: decorator
@inline
export function endsBlock(summed: i32): bool {
  return leftInBlock(summed) == SUM_ROWS;
}

function blockOverRows(
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
  product(changetype<usize>(g));
}

/**
 * C = I + A W for rows that lie one after the other; W in panels [depth, columns]. `initial` is a
 * row, used for all rows (iRow 0), or C itself. `backwards` takes whole panels from the last to the
 * first.
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
  backwards: bool = false,
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
  if (backwards && vectors % panelVectors == 0) {
    const last = vectors / panelVectors - 1;
    g.b += last * g.bPanel;
    g.i += last * g.iPanel;
    g.c += last * g.cPanel;
    g.bPanel = -g.bPanel;
    g.iPanel = -g.iPanel;
    g.cPanel = -g.cPanel;
  }
  product(changetype<usize>(g));
}

/** sums[N] f64 += the columns of `rows` rows, the last row first. */
export function columnSums(sums: usize, b: usize, bRow: i32, rows: i32, vectors: i32): void {
  // Two vectors at a time: one waits for each of its sums.
  for (let v = 0; v < vectors; v += 2) {
    const second: usize = v + 1 < vectors ? 16 : 0;
    let x0 = v128.load(sums);
    let x1 = v128.load(sums, 16);
    let y0 = v128.load(sums + 2 * second);
    let y1 = v128.load(sums + 2 * second, 16);
    let p = b + (rows - 1) * bRow;
    for (let r = 0; r < rows; r++) {
      const x = v128.load(p);
      const y = v128.load(p + second);
      x0 = f64x2.add(x0, widenLow(x));
      x1 = f64x2.add(x1, widenHigh(x));
      y0 = f64x2.add(y0, widenLow(y));
      y1 = f64x2.add(y1, widenHigh(y));
      p -= bRow;
    }
    v128.store(sums, x0);
    v128.store(sums, x1, 16);
    v128.store(sums + 2 * second, y0);
    v128.store(sums + 2 * second, y1, 16);
    sums += 64;
    b += 32;
  }
}
