export const mutants = {
  'sum of squares: half of the lanes': [['high = f64x2.add(high, f64x2.mul(b, b));', '']],
  'sums in float64: two of four lanes': [
    ['narrow(v128.load(from), v128.load(from, 16))', 'narrow(v128.load(from), v128.load(from))'],
  ],
  'sums in float64 are taken again': [['    v128.store(from, f64x2.splat(0));\n', '']],
  'what was put aside is taken again': [['    v128.store(rest + k, f32x4.splat(0));\n', '']],
  'what rounding takes is lost': [['lostIn(sum, a, b));\n', 'f32x4.splat(0));\n']],
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
