export const mutants = {
  'nesterov looks ahead where it must not, and not where it must': [
    [
      'u.nesterov ? madd(f32x4.splat(u.decayFirst), b, g) : b',
      'u.nesterov ? b : madd(f32x4.splat(u.decayFirst), b, g)',
    ],
  ],
  'eps under the root is added to it': [
    [
      'f32x4.sqrt(f32x4.add(v, f32x4.splat(u.epsilonInside)))',
      'f32x4.add(f32x4.sqrt(v), f32x4.splat(u.epsilonInside))',
    ],
  ],
  'adam: first moment not corrected': [['f32x4.mul(m, f32x4.splat(u.correctionFirst))', 'm']],
  'adam: second moment not corrected': [
    ['f32x4.sqrt(f32x4.mul(v, f32x4.splat(u.correctionSecond)))', 'f32x4.sqrt(v)'],
  ],
  'parameters do not decay by themselves': [['f32x4.mul(f32x4.splat(u.keep), p)', 'p']],
  'moments are never flushed': [
    [
      'flush(madd(f32x4.splat(decay), v128.load(moment), weighted))',
      'madd(f32x4.splat(decay), v128.load(moment), weighted)',
    ],
  ],
  'a flushed moment leaves a step without a bound': [
    ['v128.bitselect(least, f32x4.add(root, eps), f32x4.eq(root, zero))', 'f32x4.add(root, eps)'],
  ],
  'nothing divided by nothing is a step': [
    ['v128.and(f32x4.div(x, divisor), f32x4.ne(divisor, zero))', 'f32x4.div(x, divisor)'],
  ],
  'no decay times a parameter that is not finite': [
    ['  if (u.weightDecay == 0) return scaled;\n', ''],
  ],
};
