/**
 * Products with weights of 8 bits, for inference: C = I + A W^T, W [N, K], A [rows, K].
 *
 *   W[j, k] = s[j] f[k] w[j, k]   w whole, |w| <= 127   s[j] = max over k of |W[j, k] / f[k]| / 127
 *   A[r, k] f[k] = u[r] v[r, k]   v whole, |v| <= L     u[r] = max over k of |A[r, k] f[k]| / L
 *                                                L = min(8191, floor((2^31 - 1) / (128 K)))
 *   C[r, j] = I[r, j] + (s[j] u[r]) (sum over k of w[j, k] v[r, k])
 *
 * v takes 14 bits, so that only the weights lose anything; reading these is what such a product
 * takes its time for. L bounds the sum by 32 bits: it is exact, and C the same in both builds and
 * on every machine.
 *
 * The factor f[k] is in proportion to the largest |W[j, k]| of all j: what the weights of some k
 * have more than those of others, v takes over, which has bits to spare.
 *
 * Where one weight of a row of W is far larger than the others, at k = p[j], w is 0 there, and
 * W[j, k] A[r, k] is added to C in float32, in two roundings.
 *
 * There are two kernels, with the same bits. One multiplies words: 16 bits by 16. The other one
 * multiplies digits: signed bytes by 7 bits, which is all that the relaxed dot product says of its
 * second operand. So v + 8192 is split into digits d, e from 0 to 127.
 *
 *   v + 8192 = 128 d + e     sum w v = 128 (sum w d - 64 sum w) + sum w e
 *
 * That is one instruction in processors that multiply bytes and add them in 32 bits (AVX-VNNI, the
 * dot product of ARM), and five in others, where words are faster. Those tell themselves: their
 * instruction adds pairs of products in 16 bits, and stops at the largest of these.
 *
 * Operands of a row:  u as f32, 12 bytes, then for every four of K 8 bytes:
 *                     four d and four e, or four v of 16 bits
 *
 * Panels of weights:  ╒═══════════════ panel 0 ═══════════════╕╒═ panel 1 ═
 *                     │ k = 0..3 of column 0, of 1, ... of 15 ││           ...
 *                     └ k = 4..7 of column 0, of 1, ... ──────┘└
 */

import { int8Digits_1x4, int8Digits_3x2, int8Words_1x4, int8Words_2x2 } from './gen/tiles';
import { Int8Product } from '../base/structs';
import { columnOf } from './panels';
import { ALIGN, OUTLIER_DEPTH, TINY } from '../shared/codes';
import { HAS_DIGITS, clamp, dotDigits, largest } from '../base/simd';
import { ZEROS } from '../base/tables';

/**
 * The geometry of a matrix of 8 bits. It lies on a cache line of its own in front of the panels
 * [K, N], N scales, N corrections, K factors, and N places and values of outliers. It holds no
 * address: parameters are the same bits wherever they lie.
 */
@unmanaged
export class Int8Panels {
  /** Gates that share panels of floats, and vectors of these; see matrix/panels.ts. */
  together: i32;
  vectors: i32;
  /** Rows of a gate, and those rounded up to whole panels. */
  hidden: i32;
  padded: i32;
  /** K */
  depth: i32;
  /** N */
  columns: i32;
  /** Whether some column has an outlier. */
  hasOutliers: i32;
}

/** Bytes of the scale of a row of operands, and what lies before its numbers. */
const HEAD: usize = 16;

/** Four bytes of 127, and four of 255, for every lane. */
const PROBE: usize = memory.data<u32>([0x7f7f7f7f, 0xffffffff], 16);

/** Which kernel runs: true for digits. Tests set it. */
export let byDigits: bool = HAS_DIGITS && addsExactly() && !stopsAtWords();

/**
 * Whether this host adds to what is there: the baseline compiler of V8 11 (Node 20, behind a flag)
 * loses it.
 */
function addsExactly(): bool {
  const sum = dotDigits(i8x16.splat(-3), i8x16.splat(5), i32x4.splat(1000));
  return i32x4.extract_lane(sum, 0) == 1000 - 4 * 3 * 5;
}

/**
 * Whether this processor adds pairs of products in 16 bits. Neither a product that is exact for
 * signed bytes nor one for bytes without a sign gives twice the largest word.
 */
function stopsAtWords(): bool {
  const w = v128.load32_splat(PROBE);
  const sum = dotDigits(w, v128.load32_splat(PROBE + 4), v128.load(ZEROS));
  return i32x4.extract_lane(sum, 0) == 2 * i16.MAX_VALUE;
}

/** Four numbers of A as whole ones; NaN gives 0, infinity L. */
// @ts-ignore: decorator
@inline
function storeOperands(to: usize, x: v128, inverse: v128, most: v128): void {
  const whole = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(x, inverse)));
  const v = i32x4.max_s(i32x4.min_s(whole, most), i32x4.neg(most));
  if (!HAS_DIGITS || !byDigits) {
    v128.store64_lane(to, i16x8.narrow_i32x4_s(v, v), 0);
    return;
  }
  const shifted = i32x4.add(v, i32x4.splat(8192));
  const digits = i16x8.narrow_i32x4_s(i32x4.shr_u(shifted, 7), v128.and(shifted, i32x4.splat(127)));
  v128.store64_lane(to, i8x16.narrow_i16x8_u(digits, digits), 0);
}

/** The last one to three numbers of a row, then zeros. */
function loadRest(a: usize, count: i32): v128 {
  if (count == 1) return v128.load32_zero(a);
  const two = v128.load64_zero(a);
  return count == 2 ? two : v128.load_lane<f32>(a + 8, two, 2);
}

/**
 * A row of A as operands. Infinity counts as the largest number that is finite, beside which the
 * others of the row are 0. NaN makes u NaN, and with it all products of the row.
 */
function quantizeRow(to: usize, a: usize, factors: usize, depth: i32, limit: f32): void {
  const f = factors - a;
  const end = a + ((depth & ~3) << 2);
  const last = depth & 3 ? loadRest(end, depth & 3) : v128.load(ZEROS);
  const rest = depth & 3 ? f32x4.mul(last, v128.load(f + end)) : last;
  let most = f32x4.abs(rest);
  for (let p = a; p < end; p += 16) {
    most = f32x4.max(most, f32x4.abs(f32x4.mul(v128.load(p), v128.load(f + p))));
  }
  const top = min<f32>(largest(most), f32.MAX_VALUE);
  const isZero = top < <f32>TINY;
  store<f32>(to, isZero ? 0 : top / limit);
  const inverse = f32x4.splat(isZero ? 0 : limit / top);
  const whole = i32x4.splat(<i32>limit);
  to += HEAD;
  for (; a < end; a += 16) {
    storeOperands(to, f32x4.mul(v128.load(a), v128.load(f + a)), inverse, whole);
    to += 8;
  }
  if (depth & 3) storeOperands(to, rest, inverse, whole);
}

/** A panel, or the first vectors of it, for all rows; its first column is at byte j of N. */
function panel(
  g: Int8Product,
  words: i32,
  rows: i32,
  b: usize,
  j: i32,
  vectors: i32,
  i: usize,
  c: usize,
): void {
  const isDigits = HAS_DIGITS && byDigits;
  const together = isDigits ? 3 : 2;
  const tiled = vectors == 4 ? rows - (rows % together) : 0;
  let a = g.operands;
  let r = 0;
  for (; r < tiled; r += together) {
    for (let at = 0; at < 64; at += 32) {
      if (isDigits) int8Digits_3x2(g, words, a, b + at, j + at, i + at, c + at);
      else int8Words_2x2(g, words, a, b + at, j + at, i + at, c + at);
    }
    a += together * g.operandRow;
    i += together * g.iRow;
    c += together * g.cRow;
  }
  for (; r < rows; r++) {
    if (isDigits) int8Digits_1x4(g, words, a, b, j, vectors, i, c);
    else int8Words_1x4(g, words, a, b, j, vectors, i, c);
    a += g.operandRow;
    i += g.iRow;
    c += g.cRow;
  }
}

/** Adds what outliers contribute to all rows, in columns from byte n on. */
function addOutliers(
  g: Int8Product,
  n: i32,
  rows: i32,
  a: usize,
  aRow: i32,
  vectors: i32,
  c: usize,
): void {
  const end = n + (vectors << 4);
  for (; n < end; n += 16, c += 16) {
    const at = g.outliers + n;
    const value = v128.load(at + (panelsAt(g).columns << 2));
    if (!v128.any_true(value)) continue;
    const p0 = load<i32>(at);
    const p1 = load<i32>(at, 4);
    const p2 = load<i32>(at, 8);
    const p3 = load<i32>(at, 12);
    let from = a;
    let to = c;
    for (let r = 0; r < rows; r++, from += aRow, to += g.cRow) {
      let x = v128.load32_zero(from + p0);
      x = v128.load_lane<f32>(from + p1, x, 1);
      x = v128.load_lane<f32>(from + p2, x, 2);
      x = clamp(v128.load_lane<f32>(from + p3, x, 3), f32.MAX_VALUE);
      v128.store(to, f32x4.add(v128.load(to), f32x4.mul(value, x)));
    }
  }
}

/** The geometry of the weights of a product. */
// @ts-ignore: decorator
@inline
function panelsAt(g: Int8Product): Int8Panels {
  return changetype<Int8Panels>(g.weights - ALIGN);
}

/**
 * C = I + A W^T for `vectors` vectors of columns from panel `first` on. `i` may be C, or a row for
 * all (iRow 0), or ZEROS.
 */
export function productInt8(
  g: Int8Product,
  rows: i32,
  a: usize,
  aRow: i32,
  first: i32,
  vectors: i32,
  i: usize,
  iRow: i32,
  c: usize,
  cRow: i32,
  fromEnd: bool,
): void {
  const depth = g.depth;
  const words = (depth + 3) >> 2;
  const panels = (vectors + 3) >> 2;
  const limit = <f32>max(1, min(8191, (i32.MAX_VALUE >> 7) / depth));
  const iPanel = i == ZEROS ? 0 : 64;
  g.iRow = iRow;
  g.cRow = cRow;
  for (let row = 0; row < rows; row += g.operandRows) {
    const count = min(rows - row, g.operandRows);
    for (let r = 0; r < count; r++) {
      const to = g.operands + r * g.operandRow;
      quantizeRow(to, a + (row + r) * aRow, g.factors, depth, limit);
    }
    for (let n = 0; n < panels; n++) {
      const p = fromEnd ? panels - 1 - n : n;
      const j = (first + p) << 6;
      const b = g.weights + j * words;
      const start = i + row * iRow + p * iPanel;
      const to = c + row * cRow + (p << 6);
      panel(g, words, count, b, j, min(4, vectors - (p << 2)), start, to);
    }
    if (panelsAt(g).hasOutliers) {
      addOutliers(g, first << 6, count, a + row * aRow, aRow, vectors, c + row * cRow);
    }
  }
}

/** Where w[j, k] is, for k = 0. */
// @ts-ignore: decorator
@inline
function columnAddress(weights: usize, j: i32, words: i32): usize {
  return weights + (((j >> 4) * words) << 6) + ((j & 15) << 2);
}

/** Bytes from w[j, 0] to w[j, k]. */
// @ts-ignore: decorator
@inline
function depthOffset(k: i32): i32 {
  return ((k >> 2) << 6) + (k & 3);
}

/** The panels, which follow their geometry. */
// @ts-ignore: decorator
@inline
function panelsOf(m: Int8Panels): usize {
  return changetype<usize>(m) + ALIGN;
}

/** The column of a row of W: gate after gate, each of `hidden` rows. */
function columnOfRow(m: Int8Panels, row: i32): i32 {
  return columnOf(m.together, m.vectors, row / m.hidden, row % m.hidden, m.padded);
}

/** The factors of a matrix. */
// @ts-ignore: decorator
@inline
function factorsOf(m: Int8Panels): usize {
  return panelsOf(m) + m.columns * ((((m.depth + 3) >> 2) + 2) << 2);
}

/** Where the outlier of column j is said, and how far from it its value; 0 where none may be. */
// @ts-ignore: decorator
@inline
function outlierOf(m: Int8Panels, j: i32): usize {
  const words = (m.depth + 3) >> 2;
  return m.depth < OUTLIER_DEPTH ? 0 : factorsOf(m) + (words << 4) + (j << 2);
}

/**
 * A row of W in plain order by its scale, [K] f32, becomes a column of the panels, each number
 * rounded; in bytes the place of its outlier, and the value of that, 0 for none, follow it. The
 * factors are there already.
 */
export function packRow(descriptor: usize, row: i32, plain: usize, scale: f32): void {
  const m = changetype<Int8Panels>(descriptor);
  const j = columnOfRow(m, row);
  const depth = m.depth;
  const words = (depth + 3) >> 2;
  const to = columnAddress(panelsOf(m), j, words);
  let sum = 0;
  for (let k = 0; k < depth; k++, plain += 4) {
    const w = <i32>nearest(load<f32>(plain));
    store<i8>(to + depthOffset(k), w);
    sum += w;
  }
  const out = outlierOf(m, j);
  if (out) {
    store<i32>(out, load<i32>(plain));
    store<i32>(out + (m.columns << 2), load<i32>(plain, 4));
  }
  const scales = panelsOf(m) + m.columns * (words << 2) + (j << 2);
  store<f32>(scales, scale);
  store<i32>(scales + (m.columns << 2), -64 * sum);
}

/** The other way, in whole numbers. Gives the scale. */
export function unpackRow(descriptor: usize, row: i32, plain: usize): f32 {
  const m = changetype<Int8Panels>(descriptor);
  const j = columnOfRow(m, row);
  const words = (m.depth + 3) >> 2;
  const from = columnAddress(panelsOf(m), j, words);
  for (let k = 0; k < m.depth; k++, plain += 4) {
    store<f32>(plain, <f32>load<i8>(from + depthOffset(k)));
  }
  const out = outlierOf(m, j);
  if (out) {
    store<i32>(plain, load<i32>(out));
    store<i32>(plain, load<i32>(out + (m.columns << 2)), 4);
  }
  return load<f32>(panelsOf(m) + m.columns * (words << 2) + (j << 2));
}
