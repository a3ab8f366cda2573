export const mutants = {
  'sum of squares: half of the lanes': [['high = f64x2.add(high, f64x2.mul(b, b));', '']],
  'scaling leaves the last vector out': [
    [
      'k < (<usize>n) << 2; k += 16) {\n    v128.store(values + k, f32x4.mul(',
      'k < (<usize>(n - 4)) << 2; k += 16) {\n    v128.store(values + k, f32x4.mul(',
    ],
  ],
  'clipping has no lower bound': [
    [
      'f32x4.pmax(f32x4.pmin(v128.load(values + k), high), low)',
      'f32x4.pmin(v128.load(values + k), high)',
    ],
  ],
};
