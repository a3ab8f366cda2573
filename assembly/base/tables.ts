/**
 * Constants of the vector functions, whole vectors in memory: V8 rebuilds a `v128.const` at every
 * use (three micro-ops), whereas a load from the first-level cache is one, its address part of it.
 */

// prettier-ignore
const TABLE: usize = memory.data<f32>([
  1e-30, 1e-30, 1e-30, 1e-30,
  1.0, 1.0, 1.0, 1.0,
  2.0, 2.0, 2.0, 2.0,
  // tanh: beyond the first it is 1; and e^r - 1 = r + c2 r^2 + ... + c6 r^6 where |r| is at most
  // half of ln 2, relative error 1.4e-8 (minimax fit).
  9.02, 9.02, 9.02, 9.02,
  -2.0, -2.0, -2.0, -2.0,
  0.4999999701976776, 0.4999999701976776, 0.4999999701976776, 0.4999999701976776,
  0.1666654348373413, 0.1666654348373413, 0.1666654348373413, 0.1666654348373413,
  0.04166720062494278, 0.04166720062494278, 0.04166720062494278, 0.04166720062494278,
  0.008366520516574383, 0.008366520516574383, 0.008366520516574383, 0.008366520516574383,
  0.0013882521307095885, 0.0013882521307095885, 0.0013882521307095885, 0.0013882521307095885,
  // exp: range, -1 / ln 2, and ln 2 in two parts, the first so short that its product with an
  // exponent is exact; and in one.
  87.0, 87.0, 87.0, 87.0,
  -87.0, -87.0, -87.0, -87.0,
  -1.44269504, -1.44269504, -1.44269504, -1.44269504,
  0.693359375, 0.693359375, 0.693359375, 0.693359375,
  -2.12194440e-4, -2.12194440e-4, -2.12194440e-4, -2.12194440e-4,
  0.6931471806, 0.6931471806, 0.6931471806, 0.6931471806,
  // exp(r) on [0, ln 2] = 1 + c1 r + ... + c5 r^5, relative error 8.3e-8 (minimax fit with the
  // first coefficient fixed). All are positive, so that each operation of the Horner scheme, and
  // with it the sum, rises with r.
  1.0000059604644775, 1.0000059604644775, 1.0000059604644775, 1.0000059604644775,
  0.49987083673477173, 0.49987083673477173, 0.49987083673477173, 0.49987083673477173,
  0.16755490005016327, 0.16755490005016327, 0.16755490005016327, 0.16755490005016327,
  0.03906264528632164, 0.03906264528632164, 0.03906264528632164, 0.03906264528632164,
  0.011669368483126163, 0.011669368483126163, 0.011669368483126163, 0.011669368483126163,
  // Of y + this and the next, the whole number below y is left in the lowest bits, as a biased
  // exponent: 1.5 * 2^23 + 127, and a little less than a half, so that a whole y stays.
  -0.49999997, -0.49999997, -0.49999997, -0.49999997,
  12583039.0, 12583039.0, 12583039.0, 12583039.0,
], 16);

/** 64 bytes of zero, to start sums from. */
export const ZEROS: usize = memory.data(64, 16);

/** The lanes of a vector as i32. */
export const LANE_NUMBERS: usize = memory.data<i32>([0, 1, 2, 3], 16);

// prettier-ignore
// @ts-ignore: decorator
@inline export const TINY_LIMIT: usize = TABLE;
// @ts-ignore: decorator
@inline export const ONE: usize = TABLE + 16;
// @ts-ignore: decorator
@inline export const TWO: usize = TABLE + 32;
// @ts-ignore: decorator
@inline export const TANH_CLAMP: usize = TABLE + 48;
// @ts-ignore: decorator
@inline export const MINUS_TWO: usize = TABLE + 64;
// @ts-ignore: decorator
@inline export const TANH_C2: usize = TABLE + 80;
// @ts-ignore: decorator
@inline export const TANH_C3: usize = TABLE + 96;
// @ts-ignore: decorator
@inline export const TANH_C4: usize = TABLE + 112;
// @ts-ignore: decorator
@inline export const TANH_C5: usize = TABLE + 128;
// @ts-ignore: decorator
@inline export const TANH_C6: usize = TABLE + 144;
// @ts-ignore: decorator
@inline export const EXP_CLAMP: usize = TABLE + 160;
// @ts-ignore: decorator
@inline export const EXP_CLAMP_LOW: usize = TABLE + 176;
// @ts-ignore: decorator
@inline export const MINUS_LOG2E: usize = TABLE + 192;
// @ts-ignore: decorator
@inline export const LN2_HIGH: usize = TABLE + 208;
// @ts-ignore: decorator
@inline export const LN2_LOW: usize = TABLE + 224;
// @ts-ignore: decorator
@inline export const LN2: usize = TABLE + 240;
// @ts-ignore: decorator
@inline export const EXP_C1: usize = TABLE + 256;
// @ts-ignore: decorator
@inline export const EXP_C2: usize = TABLE + 272;
// @ts-ignore: decorator
@inline export const EXP_C3: usize = TABLE + 288;
// @ts-ignore: decorator
@inline export const EXP_C4: usize = TABLE + 304;
// @ts-ignore: decorator
@inline export const EXP_C5: usize = TABLE + 320;
// @ts-ignore: decorator
@inline export const MINUS_HALF: usize = TABLE + 336;
// @ts-ignore: decorator
@inline export const EXP_BIAS: usize = TABLE + 352;
