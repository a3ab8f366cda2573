/**
 * Batch normalisation (Ioffe and Szegedy 2015) in training: every feature by its mean and biased
 * variance over n rows.
 *
 *   x^ = (x - mean) s        s = 1 / sqrt(var + e)        y = gamma x^ + beta
 *   dgamma += sum of dy x^   dbeta += sum of dy
 *   dx = (dy - sum(dy) / n - x^ sum(dy x^) / n) gamma s
 *
 * Rows that do not count are normalised by the statistics of those that do, and their dx is dy
 * gamma s. All is float64, two features at a time. Sums go from row to row, each row as a whole: in
 * the order of the memory.
 */

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
  /** [5, W] f64: mean, variance and s; backward the sums of dy and of dy (x - mean). */
  statistics: usize;
}

/** What is done to every row. */
const MEAN = 0;
const VARIANCE = 1;
const OUTPUT = 2;
const SUMS = 3;
const GRADIENT = 4;

/** Features k and k + 1 of a row in float64; 0 beyond the last one. */
// @ts-ignore: decorator
@inline
function pair(row: usize, k: i32, width: i32): v128 {
  const at = row + (k << 2);
  return f64x2.promote_low_f32x4(k + 1 < width ? v128.load64_zero(at) : v128.load32_zero(at));
}

/** Features k and k + 1 of a row = a pair. */
// @ts-ignore: decorator
@inline
function put(row: usize, k: i32, values: v128): void {
  v128.store64_lane(row + (k << 2), f32x4.demote_f64x2_zero(values), 0);
}

// @ts-ignore: decorator
@inline
function add(to: usize, values: v128): void {
  v128.store(to, f64x2.add(v128.load(to), values));
}

/** Bytes from statistic to statistic. */
// @ts-ignore: decorator
@inline
function vectorBytes(d: BatchNorm): i32 {
  return ((d.width + 3) & ~3) << 3;
}

/** Does one thing to the first `rows` rows. */
function eachRow(d: BatchNorm, what: i32, rows: i32): void {
  const width = d.width;
  const bytes = vectorBytes(d);
  const share = 1 / <f64>max(d.counted, 1);
  for (let r = 0; r < rows; r++) {
    const x = d.x + r * d.xRow;
    const dy = d.dy + r * d.dyRow;
    const own = f64x2.splat(r < d.counted ? share : 0);
    for (let k = 0; k < width; k += 2) {
      const mean = d.statistics + (k << 3);
      const variance = mean + bytes;
      const scale = variance + bytes;
      const sum = scale + bytes;
      const along = sum + bytes;
      let p = pair(x, k, width);
      if (what == MEAN) {
        add(mean, f64x2.mul(p, own));
        continue;
      }
      p = f64x2.sub(p, v128.load(mean));
      if (what == VARIANCE) {
        add(variance, f64x2.mul(f64x2.mul(p, p), own));
        continue;
      }
      const s = v128.load(scale);
      if (what == SUMS) {
        const g = pair(dy, k, width);
        add(sum, g);
        add(along, f64x2.mul(f64x2.mul(g, p), s));
        continue;
      }
      p = f64x2.mul(p, s);
      if (what == GRADIENT) {
        const back = f64x2.add(v128.load(sum), f64x2.mul(p, v128.load(along)));
        p = f64x2.mul(f64x2.sub(pair(dy, k, width), f64x2.mul(back, own)), s);
      }
      if (d.gamma) p = f64x2.mul(p, pair(d.gamma, k, width));
      if (what == OUTPUT && d.beta) p = f64x2.add(p, pair(d.beta, k, width));
      put(what == OUTPUT ? d.y + r * d.yRow : d.dx + r * d.dxRow, k, p);
    }
  }
}

export function batchNormForward(descriptor: usize): void {
  const d = changetype<BatchNorm>(descriptor);
  const bytes = vectorBytes(d);
  memory.fill(d.statistics, 0, bytes << 1);
  eachRow(d, MEAN, d.counted);
  eachRow(d, VARIANCE, d.counted);
  const variances = d.statistics + bytes;
  for (let at = 0; at < bytes; at += 8) {
    store<f64>(variances + bytes + at, 1 / sqrt<f64>(load<f64>(variances + at) + <f64>d.epsilon));
  }
  eachRow(d, OUTPUT, d.rows);
}

export function batchNormBackward(descriptor: usize): void {
  const d = changetype<BatchNorm>(descriptor);
  const bytes = vectorBytes(d);
  const sums = d.statistics + 3 * bytes;
  memory.fill(sums, 0, bytes << 1);
  eachRow(d, SUMS, d.rows);
  for (let k = 0; k < d.width; k += 2) {
    const at = sums + (k << 3);
    if (d.dBeta) put(d.dBeta, k, f64x2.add(pair(d.dBeta, k, d.width), v128.load(at)));
    if (d.dGamma) put(d.dGamma, k, f64x2.add(pair(d.dGamma, k, d.width), v128.load(at + bytes)));
  }
  if (d.dx) eachRow(d, GRADIENT, d.rows);
}
