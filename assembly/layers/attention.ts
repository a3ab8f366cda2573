/**
 * Attention: each query sums values, weighted by a softmax of its scores with their keys. Of one
 * query, head by head, over the keys j that it sees; a is the scale, and w the weight, if any:
 *
 *   s_j = a q k_j    or with w    s_j = sum of w tanh(a (q + k_j))
 *   p = softmax(s)                y = sum of p_j v_j, 0 where no key is seen
 *
 *   dv_j += p_j dy                g_j = p_j (dy v_j - sum of p_i dy v_i), the gradient of s_j
 *   dq += a g_j k_j               dk_j += a g_j q               da += g_j q k_j
 *
 * With w, where t = tanh(a (q + k_j)) and u = g_j w (1 - t^2):
 *
 *   dq, dk_j += a u               da += sum of u (q + k_j)      dw += g_j t
 */

import { d_tanh, tanh } from '../base/math';
import { madd, sum } from '../base/simd';
import { softmax } from '../base/softmax';
import { put } from './join';

/**
 * Queries, and keys with their values, each rows of their own steps, packed as in `Sequence`
 * (base/structs.ts). Every sequence of queries has one of keys, of any length. Probabilities are
 * computed again in the backward pass: all of them would be as many as queries times keys.
 */
@unmanaged
export class Attention {
  heads: i32;
  /** Whether queries of step t see no keys after step t. */
  isCausal: i32;
  /** Whether one weight is that of all features. */
  isOneWeight: i32;
  /** T of the queries, and T' of the keys. */
  steps: i32;
  keySteps: i32;
  /** Bytes of one head in q and k; in v and y. */
  width: i32;
  valueWidth: i32;
  /** Bytes from row to row. */
  qRow: i32;
  kRow: i32;
  vRow: i32;
  yRow: i32;
  dqRow: i32;
  dkRow: i32;
  dvRow: i32;
  /** a, or what the learned scale is multiplied by. */
  factor: f32;
  /** [1] in, or 0: the learned scale. */
  scale: usize;
  /** [W] or [1] in, or 0: w. */
  weight: usize;
  /** [T + 1] and [T' + 1] i32 in: the first row of every step. */
  offsets: usize;
  keyOffsets: usize;
  /** [B] i32 in: the place among keys of the sequence at each place of queries. 0: the same. */
  places: usize;
  /** [M, W], [M', W], [M', V] in */
  q: usize;
  k: usize;
  v: usize;
  /** [M, V] out */
  y: usize;
  /** [M, V] in, backward; rows as those of y. */
  dy: usize;
  /** Like q, k and v, inout, accumulate; any may be the same, none may be q, k or v. */
  dq: usize;
  dk: usize;
  dv: usize;
  /** Like `scale` and `weight`, inout, accumulate; 0 where these are not there. */
  dScale: usize;
  dWeight: usize;
  /** scratch: two rows of T' and, backward, one of a head of q, each in whole vectors. */
  scratch: usize;
}

/** The first row of step t. */
// @ts-ignore: decorator
@inline
function rowOf(offsets: usize, t: i32): i32 {
  return load<i32>(offsets + (t << 2));
}

/** Four features, or the first of those that are left over and zeros. */
// @ts-ignore: decorator
@inline
function four(x: usize, isWhole: bool): v128 {
  return isWhole ? v128.load(x) : v128.load32_zero(x);
}

/** Where key (or value) j of a query is, or the last of n; that of step 0 is at `first`. */
function keyAt(d: Attention, first: usize, row: i32, n: i32, j: i32): usize {
  return first + rowOf(d.keyOffsets, min(j, n - 1)) * row;
}

function total(x: v128): f32 {
  return sum(x);
}

/**
 * p_j = a x k_j of n keys, or with `isSum` x += sum of p_j k_j. Four keys at a time: beyond n the
 * last one stands again, and the p_j of a sum have to be 0.
 */
function eachKey(
  d: Attention,
  isSum: bool,
  p: usize,
  x: usize,
  first: usize,
  row: i32,
  n: i32,
  width: i32,
  a: f32,
): void {
  for (let j = 0; j < n; j += 4) {
    const k0 = keyAt(d, first, row, n, j);
    const k1 = keyAt(d, first, row, n, j + 1);
    const k2 = keyAt(d, first, row, n, j + 2);
    const k3 = keyAt(d, first, row, n, j + 3);
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let k = 0; k < width;) {
      const isWhole = k + 16 <= width;
      let u = four(x + k, isWhole);
      const v0 = four(k0 + k, isWhole);
      const v1 = four(k1 + k, isWhole);
      const v2 = four(k2 + k, isWhole);
      const v3 = four(k3 + k, isWhole);
      if (isSum) {
        u = madd(v128.load_splat<f32>(p), v0, u);
        u = madd(v128.load_splat<f32>(p, 4), v1, u);
        u = madd(v128.load_splat<f32>(p, 8), v2, u);
        u = madd(v128.load_splat<f32>(p, 12), v3, u);
        put(x + k, 0, u, isWhole);
      } else {
        s0 = madd(u, v0, s0);
        s1 = madd(u, v1, s1);
        s2 = madd(u, v2, s2);
        s3 = madd(u, v3, s3);
      }
      k += isWhole ? 16 : 4;
    }
    if (!isSum) {
      const sums = f32x4(total(s0), total(s1), total(s2), total(s3));
      v128.store(p, f32x4.mul(f32x4.splat(a), sums));
    }
    p += 16;
  }
}

/** to += factor x */
function add(to: usize, x: usize, width: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  for (let k = 0; k < width;) {
    const isWhole = k + 16 <= width;
    put(to + k, 0, madd(f, four(x + k, isWhole), four(to + k, isWhole)), isWhole);
    k += isWhole ? 16 : 4;
  }
}

/**
 * The sum of w tanh(a (x + y)). Where there is a dx, it goes back from g, the gradient of that sum,
 * and gives the share of da: dx, dy and dw are added to.
 */
function additive(
  x: usize,
  y: usize,
  width: i32,
  a: f32,
  w: usize,
  isOneWeight: bool,
  dx: usize,
  dy: usize,
  dw: usize,
  g: f32,
): f32 {
  const scale = f32x4.splat(a);
  const slope = f32x4.splat(g);
  let all = f32x4.splat(0);
  for (let k = 0; k < width;) {
    const isWhole = k + 16 <= width;
    const both = f32x4.add(four(x + k, isWhole), four(y + k, isWhole));
    let t = tanh(f32x4.mul(scale, both));
    let u = isOneWeight ? v128.load_splat<f32>(w) : four(w + k, isWhole);
    if (dx) {
      put(dw + k, 0, madd(slope, t, four(dw + k, isWhole)), isWhole);
      u = f32x4.mul(f32x4.mul(slope, u), d_tanh(t));
      t = f32x4.mul(scale, u);
      put(dx + k, 0, f32x4.add(t, four(dx + k, isWhole)), isWhole);
      put(dy + k, 0, f32x4.add(t, four(dy + k, isWhole)), isWhole);
      t = both;
    }
    all = madd(u, t, all);
    k += isWhole ? 16 : 4;
  }
  return total(all);
}

/** All queries, there or back: sequence by sequence, so that the keys of one stay in the cache. */
function eachQuery(d: Attention, isBack: bool): void {
  const a = d.scale ? d.factor * load<f32>(d.scale) : d.factor;
  const p = d.scratch;
  const g = p + (((d.keySteps + 3) & ~3) << 2);
  const dw = g + (g - p);
  const offsets = d.keyOffsets;
  const width = d.width;
  const valueWidth = d.valueWidth;
  const isOneWeight = d.isOneWeight != 0;
  let dScale: f64 = 0;
  for (let place = rowOf(d.offsets, 1) - 1; place >= 0; place--) {
    const other = d.places ? load<i32>(d.places + (place << 2)) : place;
    let length = 0;
    while (length < d.keySteps && rowOf(offsets, length) + other < rowOf(offsets, length + 1)) {
      length++;
    }
    for (let head = 0; head < d.heads; head++) {
      const from = head * width;
      const valueFrom = head * valueWidth;
      const keys = d.k + other * d.kRow + from;
      const values = d.v + other * d.vRow + valueFrom;
      const w = d.weight && !isOneWeight ? d.weight + from : d.weight;
      for (let t = 0; t < d.steps; t++) {
        const row = rowOf(d.offsets, t) + place;
        if (row >= rowOf(d.offsets, t + 1)) break;
        const n = d.isCausal ? min(length, t + 1) : length;
        const q = d.q + row * d.qRow + from;
        if (w) {
          for (let j = 0; j < n; j++) {
            const k = keyAt(d, keys, d.kRow, n, j);
            const s = additive(q, k, width, a, w, isOneWeight, 0, 0, 0, 0);
            store<f32>(p + (j << 2), s);
          }
        } else eachKey(d, false, p, q, keys, d.kRow, n, width, a);
        softmax(p, n, 1);
        const own = row * d.yRow + valueFrom;
        if (!isBack) {
          memory.fill(d.y + own, 0, valueWidth);
          eachKey(d, true, p, d.y + own, values, d.vRow, n, valueWidth, 0);
          continue;
        }
        const dy = d.dy + own;
        const dq = d.dq + row * d.dqRow + from;
        eachKey(d, false, g, dy, values, d.vRow, n, valueWidth, 1);
        // Of one key, which is p: what p sums of g.
        eachKey(d, false, dw, g, p, 0, 1, n << 2, 1);
        const mean = v128.load_splat<f32>(dw);
        for (let j = 0; j < n << 2; j += 16) {
          v128.store(g + j, f32x4.mul(v128.load(p + j), f32x4.sub(v128.load(g + j), mean)));
        }
        memory.fill(dw, 0, width);
        if (!w) {
          eachKey(d, true, g, dw, keys, d.kRow, n, width, 0);
          add(dq, dw, width, a);
        }
        for (let j = 0; j < n; j++) {
          const slope = load<f32>(g + (j << 2));
          const step = rowOf(offsets, j);
          const dk = d.dk + (step + other) * d.dkRow + from;
          const dv = d.dv + (step + other) * d.dvRow + valueFrom;
          add(dv, dy, valueWidth, load<f32>(p + (j << 2)));
          if (w) {
            const k = keys + step * d.kRow;
            dScale += additive(q, k, width, a, w, isOneWeight, dq, dk, dw, slope);
          } else add(dk, q, width, a * slope);
        }
        if (w) {
          for (let k = 0; k < width; k += 4) {
            const to = d.dWeight + (isOneWeight ? 0 : from + k);
            store<f32>(to, load<f32>(to) + load<f32>(dw + k));
          }
        } else {
          eachKey(d, false, g, dw, q, 0, 1, width, 1);
          dScale += load<f32>(g);
        }
      }
    }
  }
  if (isBack && d.dScale) {
    store<f32>(d.dScale, load<f32>(d.dScale) + d.factor * <f32>dScale);
  }
}

export function attentionForward(descriptor: usize): void {
  eachQuery(changetype<Attention>(descriptor), false);
}

export function attentionBackward(descriptor: usize): void {
  eachQuery(changetype<Attention>(descriptor), true);
}
