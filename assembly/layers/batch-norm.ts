/**
 * Batch normalisation (Ioffe and Szegedy 2015) in training: every feature by its mean and biased
 * variance over n rows.
 *
 *   x^ = (x - mean) / sqrt(var + e)        y = gamma x^ + beta
 *   dgamma += sum of dy x^                 dbeta += sum of dy
 *   dx = (dy - sum(dy) / n - x^ sum(dy x^) / n) gamma / sqrt(var + e)
 *
 * Rows that do not count are normalised by the statistics of those that do, and their dx is dy
 * gamma / sqrt(var + e). All sums are float64 and go from row to row: in memory order, so that no
 * two rows share a set of a cache.
 */

import { firstLanes, narrow, widenHigh, widenLow } from '../base/simd';
import { stretch } from './norm';

/**
 * The forward pass reads x, gamma and beta; it writes y and the statistics. The backward pass reads
 * x, dy, gamma and the statistics; it writes dx and adds to dGamma and dBeta. All vectors and rows
 * are W elements and zeros up to a multiple of four, but for those of x.
 */
@unmanaged
export class BatchNorm {
  /** M, and how many of them count: the first n. */
  rows: i32;
  counted: i32;
  /** W: features of a row, without the padding. */
  width: i32;
  epsilon: f32;
  /** Bytes from row to row. */
  xRow: i32;
  yRow: i32;
  dyRow: i32;
  dxRow: i32;
  /** [M, W] in, for both passes. */
  x: usize;
  /** [M, W] out; may not be x. */
  y: usize;
  /** [M, W] in, backward: gradient of y. */
  dy: usize;
  /** [M, W] out, backward, or 0 where it is not wanted; may be dy or x. */
  dx: usize;
  /** [W] each in, or 0 for none. */
  gamma: usize;
  beta: usize;
  /** [W] each inout, accumulate, or 0 where the parameter is not there. */
  dGamma: usize;
  dBeta: usize;
  /** [5, W] f64: mean, variance and 1 / sqrt(var + e); backward the sums of dy and dy x^. */
  statistics: usize;
  /** [W] scratch: x^ of a row. */
  scratch: usize;
}

/** Bytes of a row in whole vectors. */
function rowBytes(d: BatchNorm): i32 {
  return ((d.width + 3) & ~3) << 2;
}

/** Where statistic k is. */
// @ts-ignore: decorator
@inline
function statistic(d: BatchNorm, k: i32): usize {
  return d.statistics + k * (rowBytes(d) << 1);
}

/** sums += the four numbers that are p and q. */
// @ts-ignore: decorator
@inline
function add(sums: usize, p: v128, q: v128): void {
  v128.store(sums, f64x2.add(v128.load(sums), p));
  v128.store(sums, f64x2.add(v128.load(sums, 16), q), 16);
}

/** Statistic k: the mean of x, or of (x - mean)^2, over the rows that count. */
function takeMoment(d: BatchNorm, k: i32): void {
  const bytes = rowBytes(d);
  const sums = statistic(d, k);
  memory.fill(sums, 0, bytes << 1);
  for (let r = 0; r < d.counted; r++) {
    const x = d.x + r * d.xRow;
    for (let at = 0; at < bytes; at += 16) {
      const v = v128.and(v128.load(x + at), firstLanes(d.width - (at >> 2)));
      let p = widenLow(v);
      let q = widenHigh(v);
      if (k) {
        p = f64x2.sub(p, v128.load(d.statistics + (at << 1)));
        q = f64x2.sub(q, v128.load(d.statistics + (at << 1), 16));
        p = f64x2.mul(p, p);
        q = f64x2.mul(q, q);
      }
      add(sums + (at << 1), p, q);
    }
  }
  const count = f64x2.splat(<f64>max(d.counted, 1));
  for (let at = 0; at < bytes << 1; at += 16) {
    v128.store(sums + at, f64x2.div(v128.load(sums + at), count));
  }
}

/** hat = x^ of one row, zero in the padding. */
function standardise(d: BatchNorm, hat: usize, r: i32): void {
  const bytes = rowBytes(d);
  const x = d.x + r * d.xRow;
  const scales = statistic(d, 2);
  for (let at = 0; at < bytes; at += 16) {
    const wide = at << 1;
    const v = v128.load(x + at);
    const p = f64x2.sub(widenLow(v), v128.load(d.statistics + wide));
    const q = f64x2.sub(widenHigh(v), v128.load(d.statistics + wide, 16));
    const low = f64x2.mul(p, v128.load(scales + wide));
    const high = f64x2.mul(q, v128.load(scales + wide, 16));
    v128.store(hat + at, v128.and(narrow(low, high), firstLanes(d.width - (at >> 2))));
  }
}

export function batchNormForward(descriptor: usize): void {
  const d = changetype<BatchNorm>(descriptor);
  const bytes = rowBytes(d);
  takeMoment(d, 0);
  takeMoment(d, 1);
  const variances = statistic(d, 1);
  const scales = statistic(d, 2);
  for (let at = 0; at < bytes << 1; at += 16) {
    const sum = f64x2.add(v128.load(variances + at), f64x2.splat(<f64>d.epsilon));
    v128.store(scales + at, f64x2.div(f64x2.splat(1), f64x2.sqrt(sum)));
  }
  for (let r = 0; r < d.rows; r++) {
    const y = d.y + r * d.yRow;
    standardise(d, y, r);
    stretch(y, y, 0, 1, bytes, d.gamma, d.beta);
  }
}

/** Standardises x again, which costs less than memory for x^. */
export function batchNormBackward(descriptor: usize): void {
  const d = changetype<BatchNorm>(descriptor);
  const bytes = rowBytes(d);
  const hat = d.scratch;
  const sums = statistic(d, 3);
  const along = statistic(d, 4);
  memory.fill(sums, 0, bytes << 2);
  for (let r = d.rows - 1; r >= 0; r--) {
    const dy = d.dy + r * d.dyRow;
    standardise(d, hat, r);
    for (let at = 0; at < bytes; at += 16) {
      const g = v128.load(dy + at);
      const h = v128.load(hat + at);
      const p = widenLow(g);
      const q = widenHigh(g);
      add(sums + (at << 1), p, q);
      add(along + (at << 1), f64x2.mul(p, widenLow(h)), f64x2.mul(q, widenHigh(h)));
    }
  }
  for (let at = 0; at < bytes; at += 16) {
    addNarrow(d.dGamma, at, along);
    addNarrow(d.dBeta, at, sums);
  }
  const share = 1 / <f64>max(d.counted, 1);
  for (let r = d.rows - 1; d.dx && r >= 0; r--) {
    const dy = d.dy + r * d.dyRow;
    const dx = d.dx + r * d.dxRow;
    const own = f64x2.splat(r < d.counted ? share : 0);
    standardise(d, hat, r);
    for (let at = 0; at < bytes; at += 16) {
      const g = v128.load(dy + at);
      const h = v128.load(hat + at);
      const low = slope(d, at << 1, widenLow(g), widenLow(h), own);
      const high = slope(d, (at << 1) + 16, widenHigh(g), widenHigh(h), own);
      const dHat = narrow(low, high);
      v128.store(dx + at, d.gamma ? f32x4.mul(dHat, v128.load(d.gamma + at)) : dHat);
    }
  }
}

/** dx of two features without gamma; `share` is 1 / n, or 0 of a row that does not count. */
// @ts-ignore: decorator
@inline
function slope(d: BatchNorm, at: i32, g: v128, h: v128, share: v128): v128 {
  const sum = v128.load(statistic(d, 3) + at);
  const along = v128.load(statistic(d, 4) + at);
  const mean = f64x2.mul(f64x2.add(sum, f64x2.mul(h, along)), share);
  return f64x2.mul(f64x2.sub(g, mean), v128.load(statistic(d, 2) + at));
}

/** to[at] += four sums, unless there is no `to`. */
// @ts-ignore: decorator
@inline
function addNarrow(to: usize, at: i32, sums: usize): void {
  if (!to) return;
  const sum = narrow(v128.load(sums + (at << 1)), v128.load(sums + (at << 1), 16));
  v128.store(to + at, f32x4.add(v128.load(to + at), sum));
}
