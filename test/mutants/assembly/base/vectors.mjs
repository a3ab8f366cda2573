export const mutants = {
  'a row is added to the first of many alone': [['to += toRow;', 'to += 0;']],
  'the last vector of an added row is left out': [
    ['k < (<usize>vectors) << 4;', 'k < (<usize>(vectors - 1)) << 4;'],
  ],
  'sum of squares: half of the lanes': [['high = f64x2.add(high, f64x2.mul(b, b));', '']],
  'sums in float64: two of four lanes': [
    ['narrow(v128.load(from), v128.load(from, 16))', 'narrow(v128.load(from), v128.load(from))'],
  ],
  'sums in float64 are taken again': [['  memory.fill(sums, 0, n << 3);\n', '']],
  'what was put aside is taken again': [['  memory.fill(rest, 0, n << 2);\n', '']],
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
