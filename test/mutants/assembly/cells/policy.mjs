export const mutants = {
  'gradients of gates are not bounded': [
    [
      'return clamp(f32x4.mul(d, d_sigmoid(y)), s.gradientLimit);',
      'return f32x4.mul(d, d_sigmoid(y));',
    ],
  ],
  'gradients of gates with options are not bounded': [
    [
      'return clamp(v128.and(passed, within(x, limit)), s.gradientLimit);',
      'return v128.and(passed, within(x, limit));',
    ],
  ],
  'clip has a gradient outside of its bound': [['v128.and(passed, within(x, limit))', 'passed']],
  'the sum of the second gate is not kept': [['    v128.store(b + s.toSums, y);\n', '']],
  'the third gate is not clipped': [['  z = clamp(z, limit);\n', '']],
  'the slope of the candidate is that of the gates': [
    ['openBack(s, s.options.candidate, d', 'openBack(s, s.options.gate, d'],
  ],
  'cell clip has a gradient outside of its bound': [
    ['v128.andnot(dc, f32x4.ge(f32x4.abs(c), f32x4.splat(s.options.cellClip)))', 'dc'],
  ],
  'gates not differentiated': [
    ['clamp(f32x4.mul(d, d_sigmoid(y)), s.gradientLimit)', 'clamp(d, s.gradientLimit)'],
  ],
  'tanh not differentiated': [['return d_tanh(y);', 'return f32x4.splat(1);']],
  'relu passes every gradient': [
    ['return v128.and(f32x4.gt(y, v128.load(ZEROS)), v128.load(ONE));', 'return v128.load(ONE);'],
  ],
};
