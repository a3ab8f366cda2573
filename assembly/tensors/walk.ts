/**
 * Operators of programs: tensors of any rank, whose shapes are known when a program is planned.
 *
 * A walk goes over some axes, the outermost first, and moves three places by the steps of each:
 * that of the result and those of two operands. A step of 0 repeats an operand along an axis; a
 * step below 0 goes backwards. What stands at the innermost place is an element, or a tensor of its
 * own:
 *
 *   elements   to = f(a, b), for pairs of elements, or a alone
 *   reduction  to = sum, largest, ... of `count` elements from a on
 *   rows       to[i] = a[b[i]], or to[b[i]] = a[i]: `count` rows that b numbers
 *   matrix     to = a b, or to += a b                        (matrix.ts)
 *   image      to += a convolution or = a pool of a          (image.ts)
 */

import { activate } from '../base/activations';
import { largest, narrow, sumWide, widenHigh, widenLow } from '../base/simd';
import { Activation } from '../base/structs';
import * as codes from '../shared/codes';
import { Image, convolve, pool } from './image';
import { Matrix, multiply } from './matrix';

/** One operator of a program. */
@unmanaged
export class Walk {
  /** A `WALK_` code. */
  mode: i32;
  /** How many axes it goes over, at least one. */
  rank: i32;
  /** [rank, 4] i32 in: how often, and the steps of `to`, a and b in bytes. */
  axes: usize;
  /** out; of `WALK_PICK`, `WALK_SCATTER` and sums that go on inout. */
  to: usize;
  /** in; may be `to` where all steps are the same. */
  a: usize;
  b: usize;
  /** Of a reduction and of rows: how many. */
  count: i32;
  /** Of rows: how many there are to choose from, and bytes of each. */
  size: i32;
  row: i32;
  /** Of a matrix or an image; otherwise 0. */
  matrix: Matrix;
  image: Image;
}

/** A power of any number: of a negative one where the exponent is whole. */
function power(x: f32, exponent: f32): f32 {
  const by = POWER;
  by.kind = codes.ACTIVATION_POW;
  by.alpha = exponent;
  return f32x4.extract_lane(activate(by, f32x4.splat(x)), 0);
}

const POWER: Activation = changetype<Activation>(memory.data(12, 4));

// @ts-ignore: decorator
@inline
function truth(mask: v128): v128 {
  return v128.and(mask, f32x4.splat(1));
}

/** Four results; `old` is what stood there. */
function combine(mode: i32, x: v128, y: v128, old: v128): v128 {
  const zero = f32x4.splat(0);
  switch (mode) {
    case codes.WALK_COPY:
      return x;
    case codes.WALK_ADD:
      return f32x4.add(x, y);
    case codes.WALK_SUBTRACT:
      return f32x4.sub(x, y);
    case codes.WALK_MULTIPLY:
      return f32x4.mul(x, y);
    case codes.WALK_DIVIDE:
      return f32x4.div(x, y);
    case codes.WALK_MIN:
      return f32x4.min(x, y);
    case codes.WALK_MAX:
      return f32x4.max(x, y);
    case codes.WALK_EQUAL:
      return truth(f32x4.eq(x, y));
    case codes.WALK_GREATER:
      return truth(f32x4.gt(x, y));
    case codes.WALK_NOT_LESS:
      return truth(f32x4.ge(x, y));
    case codes.WALK_AND:
      return truth(v128.and(f32x4.ne(x, zero), f32x4.ne(y, zero)));
    case codes.WALK_OR:
      return truth(v128.or(f32x4.ne(x, zero), f32x4.ne(y, zero)));
    case codes.WALK_PRELU:
      return v128.bitselect(f32x4.mul(x, y), x, f32x4.lt(x, zero));
    case codes.WALK_PICK:
      return v128.bitselect(x, old, f32x4.ne(y, zero));
    case codes.WALK_FLOOR:
      return f32x4.floor(x);
    case codes.WALK_CEIL:
      return f32x4.ceil(x);
    case codes.WALK_ROUND:
      return f32x4.nearest(x);
    case codes.WALK_TRUNCATE:
      return f32x4.trunc(x);
    default:
      return f32x4(
        power(f32x4.extract_lane(x, 0), f32x4.extract_lane(y, 0)),
        power(f32x4.extract_lane(x, 1), f32x4.extract_lane(y, 1)),
        power(f32x4.extract_lane(x, 2), f32x4.extract_lane(y, 2)),
        power(f32x4.extract_lane(x, 3), f32x4.extract_lane(y, 3)),
      );
  }
}

/** Elements of the innermost axis: four at a time where the results lie side by side. */
function line(axis: usize, mode: i32, to: usize, a: usize, b: usize): void {
  let count = load<i32>(axis);
  const toStep = load<i32>(axis, 4);
  const aStep = load<i32>(axis, 8);
  const bStep = load<i32>(axis, 12);
  const isWhole = toStep == 4 && (aStep & ~4) == 0 && (bStep & ~4) == 0;
  if (mode == codes.WALK_COPY && isWhole && aStep) {
    memory.copy(to, a, count << 2);
    return;
  }
  if (isWhole) {
    for (; count >= 4; count -= 4) {
      const x = aStep ? v128.load(a) : v128.load_splat<f32>(a);
      const y = bStep ? v128.load(b) : v128.load_splat<f32>(b);
      v128.store(to, combine(mode, x, y, v128.load(to)));
      to += 16;
      a += aStep << 2;
      b += bStep << 2;
    }
  }
  for (; count > 0; count--) {
    const x = v128.load_splat<f32>(a);
    const old = v128.load_splat<f32>(to);
    const y = mode == codes.WALK_COPY ? x : combine(mode, x, v128.load_splat<f32>(b), old);
    store<f32>(to, f32x4.extract_lane(y, 0));
    to += toStep;
    a += aStep;
    b += bStep;
  }
}

/** Sums are float64. */
function reduce(d: Walk, to: usize, a: usize): void {
  const mode = d.mode;
  const count = d.count;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  let all = v128.load_splat<f32>(a);
  let product: f32 = 1;
  const end = a + (count << 2);
  const isSum = mode == codes.WALK_SUM;
  const isProduct = mode == codes.WALK_PRODUCT;
  for (; !isProduct && a + 16 <= end; a += 16) {
    const x = v128.load(a);
    if (isSum) {
      low = f64x2.add(low, widenLow(x));
      high = f64x2.add(high, widenHigh(x));
    } else all = mode == codes.WALK_LARGEST ? f32x4.max(all, x) : f32x4.min(all, x);
  }
  let sum = sumWide(low, high);
  let best = all;
  if (mode == codes.WALK_SMALLEST) best = f32x4.neg(all);
  let most = largest(best);
  for (; a < end; a += 4) {
    const x = load<f32>(a);
    sum += x;
    product *= x;
    most = max<f32>(most, mode == codes.WALK_SMALLEST ? -x : x);
  }
  store<f32>(
    to,
    isSum ? <f32>sum : isProduct ? product : mode == codes.WALK_SMALLEST ? -most : most,
  );
}

/** Rows by their numbers, from the end where these are below 0, and held to those there are. */
function rows(d: Walk, to: usize, a: usize, b: usize): void {
  const last = d.size - 1;
  for (let i = 0; i < d.count; i++) {
    let index = i32x4.extract_lane(i32x4.trunc_sat_f32x4_s(v128.load_splat<f32>(b + (i << 2))), 0);
    if (index < 0) index += d.size;
    const far = max(min(index, last), 0) * d.row;
    const near = i * d.row;
    if (d.mode == codes.WALK_GATHER) memory.copy(to + near, a + far, d.row);
    else memory.copy(to + far, a + near, d.row);
  }
}

function visit(d: Walk, axis: usize, left: i32, to: usize, a: usize, b: usize): void {
  const mode = d.mode;
  if (left == 1 && mode < codes.WALK_SUM) return line(axis, mode, to, a, b);
  for (let count = load<i32>(axis); count > 0; count--) {
    if (left > 1) visit(d, axis + 16, left - 1, to, a, b);
    else if (mode < codes.WALK_GATHER) reduce(d, to, a);
    else if (mode < codes.WALK_MATRIX) rows(d, to, a, b);
    else if (mode == codes.WALK_MATRIX) multiply(d.matrix, to, a, b);
    else if (mode == codes.WALK_CONVOLUTION) convolve(d.image, d.matrix, to, a, b);
    else pool(d.image, to, a);
    to += load<i32>(axis, 4);
    a += load<i32>(axis, 8);
    b += load<i32>(axis, 12);
  }
}

export function walk(descriptor: usize): void {
  const d = changetype<Walk>(descriptor);
  visit(d, d.axes, d.rank, d.to, d.a, d.b);
}
