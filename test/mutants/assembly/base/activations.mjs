export const mutants = {
  'elu: slope of e^x for any alpha': [['f32x4.add(y, a), one', 'f32x4.add(y, one), one']],
  'elu: e^x - 1 cancels': [
    [
      'f32x4.div(f32x4.mul(f32x4.add(a, a), t), f32x4.sub(v128.load(ONE), t))',
      'f32x4.mul(a, f32x4.sub(exponential(x), v128.load(ONE)))',
    ],
  ],
  'scaled tanh: slope without beta': [['f32x4.mul(f32x4.mul(a, b), d_tanh', 'f32x4.mul(a, d_tanh']],
  'hard sigmoid of Keras 3': [
    ['f32x4.pmin(madd(a, x, b), ', 'f32x4.pmin(madd(f32x4.splat(1 / 6), x, b), '],
  ],
  'selu: the scale is missing above 0': [['f32x4.mul(f32x4.splat(SELU_SCALE), x)', 'x']],
  'gelu: the tail below 0 is mirrored': [
    ['v128.bitselect(tail, f32x4.sub(one, tail)', 'v128.bitselect(f32x4.sub(one, tail), tail'],
  ],
  'gelu: slope without the density': [
    [
      'return madd(f32x4.mul(x, f32x4.splat(DENSITY_AT_ZERO)), density, normal(x));',
      'return normal(x);',
    ],
  ],
  'pow: an odd power of a negative number is positive': [
    ['return floor<f32>(half) == half ? y : -y;', 'return y;'],
  ],
  'pow: slope with the same exponent': [['powers(x, by.alpha - 1)', 'powers(x, by.alpha)']],
  'clip: a slope outside of the bounds': [
    ['return v128.and(v128.and(f32x4.ge(x, a), f32x4.le(x, b)), one);', 'return one;'],
  ],
  'log: slope at the outputs': [
    [
      'case codes.ACTIVATION_LOG:\n      return f32x4.div(one, x);',
      'case codes.ACTIVATION_LOG:\n      return f32x4.div(one, y);',
    ],
  ],
  'sqrt: slope without the half': [['f32x4.div(f32x4.splat(0.5), y)', 'f32x4.div(one, y)']],
  'silu: slope of the sigmoid alone': [['madd(y, f32x4.sub(one, s), s)', 's']],
};
