/**
 * Layer normalisation (Ba et al. 2016) of rows: the n units of all gates of a row together, in the
 * order of panels: four units of each gate, then the next four. Padding is left out; a plain row is
 * one gate.
 *
 *   x^ = (x - mean) / sqrt(var + e)        y = gamma x^ + beta
 *   dx = (g - mean(g) - x^ mean(g x^)) / sqrt(var + e),  g = dy gamma        dgamma += dy x^
 *
 * The mean of x and that of g are taken as 0 where rows are scaled by their root mean square alone.
 * Means are float64, so that a large mean does not cancel the digits of the variance.
 */

import { firstLanes, narrow, sumWide, widenHigh, widenLow } from '../base/simd';
import { addWide, addWideProduct } from '../base/vectors';
import * as codes from '../shared/codes';

/**
 * Normalisation of each of M rows by its features. The forward pass reads x, gamma and beta, and
 * writes y. The backward pass reads x, dy and gamma; it writes dx and adds to dGamma and dBeta.
 *
 *     NORM_LAYER    y = (x - mean) / sqrt(var + epsilon) gamma + beta
 *     NORM_RMS      y = x / sqrt(mean(x^2) + epsilon) gamma + beta
 *     NORM_AFFINE   y = x gamma + beta; these have no gradient, and gamma is needed
 *
 * All vectors and rows are W elements and zeros up to a multiple of four.
 */
@unmanaged
export class LayerNorm {
  mode: i32;
  /** M, and W: features of a row, without the padding. */
  rows: i32;
  width: i32;
  epsilon: f32;
  /** Bytes from row to row. */
  xRow: i32;
  yRow: i32;
  dyRow: i32;
  dxRow: i32;
  /** [M, W] in, for both passes. */
  x: usize;
  /** [M, W] out; may be x where no backward pass follows. */
  y: usize;
  /** [M, W] in, backward: gradient of y. */
  dy: usize;
  /** [M, W] out, backward, or 0 where it is not wanted; may be dy or x. */
  dx: usize;
  /** [W] each in, or 0 for none. */
  gamma: usize;
  beta: usize;
  /** [W] f64 each inout, accumulate, or 0 where the parameter is not there. */
  dGamma: usize;
  dBeta: usize;
  /** [2, W] scratch of the backward pass. */
  scratch: usize;
}

/** What a layer normalisation inside a cell adds to the variance. */
const CELL_EPSILON: f64 = 1e-5;

/** Where units k to k + 3 of a gate are in a row of `gates` gates; k is a multiple of four. */
// @ts-ignore: decorator
@inline
function place(gates: i32, gate: i32, k: i32): i32 {
  return ((k >> 2) * gates + gate) << 4;
}

/** hat = x^ of one row, zero in the padding; returns 1 / sqrt(var + epsilon). */
function standardiseRow(
  hat: usize,
  x: usize,
  gates: i32,
  n: i32,
  epsilon: f64,
  isCentred: bool,
): f64 {
  const count = <f64>(gates * n);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let g = 0; g < gates; g++) {
    for (let k = 0; k < n; k += 4) {
      const v = v128.and(v128.load(x + place(gates, g, k)), firstLanes(n - k));
      low = f64x2.add(low, widenLow(v));
      high = f64x2.add(high, widenHigh(v));
    }
  }
  const mean = f64x2.splat(isCentred ? sumWide(low, high) / count : 0);
  low = f64x2.splat(0);
  high = f64x2.splat(0);
  for (let g = 0; g < gates; g++) {
    for (let k = 0; k < n; k += 4) {
      const lanes = firstLanes(n - k);
      const v = v128.load(x + place(gates, g, k));
      const p = v128.and(f64x2.sub(widenLow(v), mean), i64x2.extend_low_i32x4_s(lanes));
      const q = v128.and(f64x2.sub(widenHigh(v), mean), i64x2.extend_high_i32x4_s(lanes));
      low = f64x2.add(low, f64x2.mul(p, p));
      high = f64x2.add(high, f64x2.mul(q, q));
    }
  }
  const scale = 1 / sqrt<f64>(sumWide(low, high) / count + epsilon);
  const factor = f64x2.splat(scale);
  for (let g = 0; g < gates; g++) {
    for (let k = 0; k < n; k += 4) {
      const at = place(gates, g, k);
      const v = v128.load(x + at);
      const p = f64x2.mul(f64x2.sub(widenLow(v), mean), factor);
      const q = f64x2.mul(f64x2.sub(widenHigh(v), mean), factor);
      v128.store(hat + at, v128.and(narrow(p, q), firstLanes(n - k)));
    }
  }
  return scale;
}

/**
 * hat [rows, N] = x^, inverse [rows] = 1 / sqrt(var + 1e-5). Rows of x and hat are `row` bytes
 * apart.
 */
export function standardise(
  hat: usize,
  inverse: usize,
  x: usize,
  row: i32,
  rows: i32,
  gates: i32,
  n: i32,
): void {
  for (let r = 0; r < rows; r++) {
    store<f32>(inverse, <f32>standardiseRow(hat, x, gates, n, CELL_EPSILON, true));
    x += row;
    hat += row;
    inverse += 4;
  }
}

/** y [rows, N] = gamma x^ + beta, either of which may be absent (0). */
export function stretch(
  y: usize,
  hat: usize,
  row: i32,
  rows: i32,
  width: i32,
  gamma: usize,
  beta: usize,
): void {
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < width; k += 16) {
      const x = v128.load(hat + k);
      const scaled = gamma ? f32x4.mul(v128.load(gamma + k), x) : x;
      v128.store(y + k, beta ? f32x4.add(scaled, v128.load(beta + k)) : scaled);
    }
    y += row;
    hat += row;
  }
}

/**
 * d of one row: dL/dy, then dL/dx. Adds to dgamma and dbeta, in f64, unless they are 0. Without
 * gamma it is 1.
 */
function normRowBackward(
  d: usize,
  hat: usize,
  scale: f64,
  gates: i32,
  n: i32,
  isCentred: bool,
  gamma: usize,
  dGamma: usize,
  dBeta: usize,
): void {
  const count = <f64>(gates * n);
  const all = ((n + 3) >> 2) * (gates << 4);
  let sumLow = f64x2.splat(0);
  let sumHigh = f64x2.splat(0);
  let alongLow = f64x2.splat(0);
  let alongHigh = f64x2.splat(0);
  for (let k = 0; k < all; k += 16) {
    const dy = v128.load(d + k);
    const h = v128.load(hat + k);
    if (dGamma) addWideProduct(dGamma + 2 * k, dy, h);
    if (dBeta) addWide(dBeta + 2 * k, dy);
    const g = gamma ? f32x4.mul(dy, v128.load(gamma + k)) : dy;
    v128.store(d + k, g);
    const low = widenLow(g);
    const high = widenHigh(g);
    sumLow = f64x2.add(sumLow, low);
    sumHigh = f64x2.add(sumHigh, high);
    alongLow = f64x2.add(alongLow, f64x2.mul(low, widenLow(h)));
    alongHigh = f64x2.add(alongHigh, f64x2.mul(high, widenHigh(h)));
  }
  const mean = f64x2.splat(isCentred ? sumWide(sumLow, sumHigh) / count : 0);
  const slope = f64x2.splat(sumWide(alongLow, alongHigh) / count);
  const factor = f64x2.splat(scale);
  for (let g = 0; g < gates; g++) {
    for (let k = 0; k < n; k += 4) {
      const at = place(gates, g, k);
      const own = v128.load(d + at);
      const h = v128.load(hat + at);
      const p = f64x2.sub(f64x2.sub(widenLow(own), mean), f64x2.mul(widenLow(h), slope));
      const q = f64x2.sub(f64x2.sub(widenHigh(own), mean), f64x2.mul(widenHigh(h), slope));
      const dx = narrow(f64x2.mul(p, factor), f64x2.mul(q, factor));
      v128.store(d + at, v128.and(dx, firstLanes(n - k)));
    }
  }
}

/**
 * d [rows, N]: dL/dy, then dL/dx. Adds to dgamma and, unless it is 0, dbeta; the last row first.
 */
export function normBackward(
  d: usize,
  hat: usize,
  inverse: usize,
  row: i32,
  rows: i32,
  gates: i32,
  n: i32,
  gamma: usize,
  dGamma: usize,
  dBeta: usize,
): void {
  for (let r = rows - 1; r >= 0; r--) {
    const scale = <f64>load<f32>(inverse + (r << 2));
    const at = r * row;
    normRowBackward(d + at, hat + at, scale, gates, n, true, gamma, dGamma, dBeta);
  }
}

/** Bytes of a row of W elements in whole vectors. */
function rowBytes(d: LayerNorm): i32 {
  return ((d.width + 3) & ~3) << 2;
}

export function layerNormForward(descriptor: usize): void {
  const d = changetype<LayerNorm>(descriptor);
  const bytes = rowBytes(d);
  const epsilon = <f64>d.epsilon;
  const isCentred = d.mode == codes.NORM_LAYER;
  for (let r = 0; r < d.rows; r++) {
    const x = d.x + r * d.xRow;
    const y = d.y + r * d.yRow;
    if (d.mode == codes.NORM_AFFINE) memory.copy(y, x, d.width << 2);
    else standardiseRow(y, x, 1, d.width, epsilon, isCentred);
    stretch(y, y, 0, 1, bytes, d.gamma, d.beta);
  }
}

/** Standardises x again, which costs less than memory for x^. */
export function layerNormBackward(descriptor: usize): void {
  const d = changetype<LayerNorm>(descriptor);
  const bytes = rowBytes(d);
  const hat = d.scratch;
  const isCentred = d.mode == codes.NORM_LAYER;
  for (let r = d.rows - 1; r >= 0; r--) {
    const x = d.x + r * d.xRow;
    const dy = d.dy + r * d.dyRow;
    const g = d.dx ? d.dx + r * d.dxRow : d.scratch + bytes;
    if (d.mode == codes.NORM_AFFINE) {
      stretch(g, dy, 0, 1, bytes, d.gamma, 0);
      continue;
    }
    const scale = standardiseRow(hat, x, 1, d.width, <f64>d.epsilon, isCentred);
    memory.copy(g, dy, bytes);
    normRowBackward(g, hat, scale, 1, d.width, isCentred, d.gamma, d.dGamma, d.dBeta);
  }
}
