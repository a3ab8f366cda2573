/**
 * What one core can do at most, with all numbers in registers, or streaming from memory. Compiled
 * by `roofline.mjs`.
 */

/** From memory: V8 builds a constant anew wherever it is used. */
const FACTORS: usize = memory.data<f32>(
  [0.999, 0.999, 0.999, 0.999, 0.001, 0.001, 0.001, 0.001],
  16,
);

/** 12 chains of x = x a + b: more than the multipliers have stages. Two operations a lane each. */
// @ts-ignore: decorator
@inline
function chains(n: i32, fused: bool): f32 {
  const a = v128.load(FACTORS);
  const b = v128.load(FACTORS, 16);
  let x0 = b,
    x1 = b,
    x2 = b,
    x3 = b,
    x4 = b,
    x5 = b,
    x6 = b,
    x7 = b,
    x8 = b,
    x9 = b,
    x10 = b,
    x11 = b;
  // So that the chains differ, and none is computed for another.
  x1 = f32x4.add(x0, a);
  x2 = f32x4.add(x1, a);
  x3 = f32x4.add(x2, a);
  x4 = f32x4.add(x3, a);
  x5 = f32x4.add(x4, a);
  x6 = f32x4.add(x5, a);
  x7 = f32x4.add(x6, a);
  x8 = f32x4.add(x7, a);
  x9 = f32x4.add(x8, a);
  x10 = f32x4.add(x9, a);
  x11 = f32x4.add(x10, a);
  for (let k = 0; k < n; k++) {
    if (fused) {
      x0 = f32x4.relaxed_madd(x0, a, b);
      x1 = f32x4.relaxed_madd(x1, a, b);
      x2 = f32x4.relaxed_madd(x2, a, b);
      x3 = f32x4.relaxed_madd(x3, a, b);
      x4 = f32x4.relaxed_madd(x4, a, b);
      x5 = f32x4.relaxed_madd(x5, a, b);
      x6 = f32x4.relaxed_madd(x6, a, b);
      x7 = f32x4.relaxed_madd(x7, a, b);
      x8 = f32x4.relaxed_madd(x8, a, b);
      x9 = f32x4.relaxed_madd(x9, a, b);
      x10 = f32x4.relaxed_madd(x10, a, b);
      x11 = f32x4.relaxed_madd(x11, a, b);
    } else {
      x0 = f32x4.add(f32x4.mul(x0, a), b);
      x1 = f32x4.add(f32x4.mul(x1, a), b);
      x2 = f32x4.add(f32x4.mul(x2, a), b);
      x3 = f32x4.add(f32x4.mul(x3, a), b);
      x4 = f32x4.add(f32x4.mul(x4, a), b);
      x5 = f32x4.add(f32x4.mul(x5, a), b);
      x6 = f32x4.add(f32x4.mul(x6, a), b);
      x7 = f32x4.add(f32x4.mul(x7, a), b);
      x8 = f32x4.add(f32x4.mul(x8, a), b);
      x9 = f32x4.add(f32x4.mul(x9, a), b);
      x10 = f32x4.add(f32x4.mul(x10, a), b);
      x11 = f32x4.add(f32x4.mul(x11, a), b);
    }
  }
  x0 = f32x4.add(
    f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3)),
    f32x4.add(f32x4.add(x4, x5), f32x4.add(x6, x7)),
  );
  x0 = f32x4.add(x0, f32x4.add(f32x4.add(x8, x9), f32x4.add(x10, x11)));
  return f32x4.extract_lane(x0, 0);
}

/** n times 12 vectors: 96 operations of f32. */
export function multiplyAdd(n: i32): f32 {
  return chains(n, false);
}

export function fusedMultiplyAdd(n: i32): f32 {
  return chains(n, true);
}

/** n times 12 dot products of 16 bytes: 384 operations of 8 bits. */
export function dot(n: i32): i32 {
  const a = v128.load(FACTORS);
  const b = v128.load(FACTORS, 16);
  let x0 = i32x4.splat(0),
    x1 = i32x4.splat(1),
    x2 = i32x4.splat(2),
    x3 = i32x4.splat(3);
  let x4 = i32x4.splat(4),
    x5 = i32x4.splat(5),
    x6 = i32x4.splat(6),
    x7 = i32x4.splat(7);
  let x8 = i32x4.splat(8),
    x9 = i32x4.splat(9),
    x10 = i32x4.splat(10),
    x11 = i32x4.splat(11);
  for (let k = 0; k < n; k++) {
    x0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x0);
    x1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x1);
    x2 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x2);
    x3 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x3);
    x4 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x4);
    x5 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x5);
    x6 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x6);
    x7 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x7);
    x8 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x8);
    x9 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x9);
    x10 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x10);
    x11 = i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, x11);
  }
  x0 = i32x4.add(
    i32x4.add(i32x4.add(x0, x1), i32x4.add(x2, x3)),
    i32x4.add(i32x4.add(x4, x5), i32x4.add(x6, x7)),
  );
  x0 = i32x4.add(x0, i32x4.add(i32x4.add(x8, x9), i32x4.add(x10, x11)));
  return i32x4.extract_lane(x0, 0);
}

/** Reads `bytes`, a multiple of 128, from `at` on. */
export function stream(at: usize, bytes: i32): f32 {
  let x0 = f32x4.splat(0),
    x1 = f32x4.splat(0),
    x2 = f32x4.splat(0),
    x3 = f32x4.splat(0);
  let x4 = f32x4.splat(0),
    x5 = f32x4.splat(0),
    x6 = f32x4.splat(0),
    x7 = f32x4.splat(0);
  const end = at + bytes;
  for (; at < end; at += 128) {
    x0 = f32x4.add(x0, v128.load(at));
    x1 = f32x4.add(x1, v128.load(at, 16));
    x2 = f32x4.add(x2, v128.load(at, 32));
    x3 = f32x4.add(x3, v128.load(at, 48));
    x4 = f32x4.add(x4, v128.load(at, 64));
    x5 = f32x4.add(x5, v128.load(at, 80));
    x6 = f32x4.add(x6, v128.load(at, 96));
    x7 = f32x4.add(x7, v128.load(at, 112));
  }
  x0 = f32x4.add(
    f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3)),
    f32x4.add(f32x4.add(x4, x5), f32x4.add(x6, x7)),
  );
  return f32x4.extract_lane(x0, 0);
}
