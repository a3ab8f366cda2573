/**
 * Connectionist temporal classification (Graves et al. 2006) of one row of a batch, in float64
 * logarithms.
 *
 *   l' = blank l_1 blank l_2 ... l_U blank, S = 2 U + 1 places    p_t = softmax of logits t
 *   a_t(s) = p_t(l'_s) (a_t-1(s) + a_t-1(s-1) + [l'_s is no blank, nor l'_s-2] a_t-1(s-2))
 *   b_t(s) = the same towards the end, without p_t                L = -log P, P = a_T(S) + a_T(S-1)
 *   dL/dx_t(k) = p_t(k) - (1 / P) (sum of a_t(s) b_t(s) over the s with l'_s = k)
 */

import { within } from '../base/bounds';
import { wideExponential, wideLogarithm } from '../base/math';
import { exponentials, multiply, prepareRow } from '../base/softmax';
import { total as sumOf } from './loss';

/** Connectionist temporal classification of one row of a batch: of all its steps together. */
@unmanaged
export class Ctc {
  /** [M, n] inout: logits, then their gradients. */
  outputs: usize;
  /** Bytes from row to row. */
  outputRow: i32;
  /** [T + 1] i32 in: the first row of every step. */
  offsets: usize;
  /** n, classes. */
  width: i32;
  /** The class that separates labels. */
  blank: i32;
  /** The row among those of each step. */
  row: i32;
  /** Its steps, at least 1. */
  steps: i32;
  /** [count] i32 in */
  labels: usize;
  count: i32;
  /** `ctcScratch(steps, count)` f64. */
  scratch: usize;
  /** Factor of the gradients. */
  scale: f32;
}

const NEVER: f64 = -Infinity;

/** log(e^a + e^b) */
function either(a: f64, b: f64): f64 {
  const high = max<f64>(a, b);
  if (high == NEVER) return NEVER;
  return high + wideLogarithm(1 + wideExponential(min<f64>(a, b) - high));
}

/** The class at place s of the labels with blanks between them. */
// @ts-ignore: decorator
@inline
function classAt(labels: usize, s: i32, blank: i32): i32 {
  return s & 1 ? load<i32>(labels + ((s >> 1) << 2)) : blank;
}

/** Whether place s may follow place s - 2 at once. */
// @ts-ignore: decorator
@inline
function mayJump(labels: usize, s: i32, blank: i32): bool {
  return s > 1 && (s & 1) != 0 && classAt(labels, s, blank) != classAt(labels, s - 2, blank);
}

/** Numbers of float64 that `ctc` needs as scratch: exact, also where no memory has as many. */
export function ctcScratch(steps: i32, count: i32): f64 {
  return (2 * <f64>steps + 2) * (2 * <f64>count + 1);
}

/** The logits of step t, or what stands in their place. */
// @ts-ignore: decorator
@inline
function logitsOf(c: Ctc, t: i32): usize {
  return c.outputs + (load<i32>(c.offsets + (t << 2)) + c.row) * c.outputRow;
}

/**
 * The loss of the row; `scale` times its gradient takes the place of the logits. A row whose labels
 * do not fit into its steps has an infinite loss and no gradient.
 */
export function ctc(descriptor: usize): f64 {
  const c = changetype<Ctc>(descriptor);
  const n = c.width;
  const steps = c.steps;
  const count = c.count;
  const labels = c.labels;
  const blank = c.blank;
  for (let k = 0; k < count; k++) within(load<i32>(labels + (k << 2)), n);
  const places = 2 * count + 1;
  const row = places << 3;
  const emissions = c.scratch;
  const alphas = emissions + steps * row;
  let beta = alphas + steps * row;
  let next = beta + row;
  for (let t = 0; t < steps; t++) {
    const e = emissions + t * row;
    const a = alphas + t * row;
    emit(logitsOf(c, t), n, labels, places, blank, e);
    for (let s = 0; s < places; s++) {
      let paths: f64 = t == 0 && s < 2 ? 0 : NEVER;
      if (t > 0) {
        const before = a - row;
        paths = load<f64>(before + (s << 3));
        if (s > 0) paths = either(paths, load<f64>(before + ((s - 1) << 3)));
        if (mayJump(labels, s, blank)) paths = either(paths, load<f64>(before + ((s - 2) << 3)));
      }
      store<f64>(a + (s << 3), paths + load<f64>(e + (s << 3)));
    }
  }
  const last = alphas + (steps - 1) * row;
  const ends = count ? load<f64>(last + ((places - 2) << 3)) : NEVER;
  const total = either(load<f64>(last + ((places - 1) << 3)), ends);
  for (let s = 0; s < places; s++) store<f64>(beta + (s << 3), s < places - 2 ? NEVER : 0);
  for (let t = steps - 1; t >= 0; t--) {
    const p = logitsOf(c, t);
    if (t < steps - 1) {
      const later = next;
      next = beta;
      beta = later;
      retreat(beta, next, emissions + (t + 1) * row, labels, places, blank);
    }
    if (total == NEVER) {
      memory.fill(p, 0, ((n + 3) & ~3) << 2);
      continue;
    }
    for (let s = 0; s < places; s++) {
      const both = load<f64>(alphas + t * row + (s << 3)) + load<f64>(beta + (s << 3));
      const slot = p + (classAt(labels, s, blank) << 2);
      store<f32>(slot, <f32>(<f64>load<f32>(slot) - wideExponential(min<f64>(both - total, 0))));
    }
    multiply(p, n, c.scale);
  }
  return -total;
}

/** Probabilities in the place of a step's logits, and the logarithms of those of all places. */
function emit(x: usize, n: i32, labels: usize, places: i32, blank: i32, to: usize): void {
  const high = prepareRow(x, n);
  for (let s = 0; s < places; s++) {
    const logit = load<f32>(x + (classAt(labels, s, blank) << 2));
    store<f64>(to + (s << 3), <f64>logit - <f64>high);
  }
  const sum = exponentials(x, n, high, 1);
  // In float64: beside the 1 of the likeliest class, float32 would lose small shares of the others.
  const log = wideLogarithm(sumOf(x, n));
  multiply(x, n, 1 / sum);
  for (let s = 0; s < places; s++) store<f64>(to + (s << 3), load<f64>(to + (s << 3)) - log);
}

/** b of a step from b and the emissions of the step after. */
function retreat(
  beta: usize,
  next: usize,
  emissions: usize,
  labels: usize,
  places: i32,
  blank: i32,
): void {
  for (let s = 0; s < places; s++) {
    const at = s << 3;
    let paths = load<f64>(next + at) + load<f64>(emissions + at);
    if (s + 1 < places) {
      paths = either(paths, load<f64>(next + at, 8) + load<f64>(emissions + at, 8));
    }
    if (s + 2 < places && mayJump(labels, s + 2, blank)) {
      paths = either(paths, load<f64>(next + at, 16) + load<f64>(emissions + at, 16));
    }
    store<f64>(beta + at, paths);
  }
}
