export const mutants = {
  'tanh with a coefficient missing': [['p = madd(p, x2, v128.load(K.TANH_A3));', '']],
  'sigmoid of -x': [['return share(exponent, ', 'x = f32x4.neg(x);\n  return share(exponent, ']],
  'three sigmoids with the exponent of one': [['fractionOf(y, ey, 1)', 'fractionOf(y, ex, 1)']],
  'a sigmoid keeps what is below 1e-30': [
    ['return v128.andnot(y, f32x4.lt(y, v128.load(K.TINY_LIMIT)));', 'return y;'],
  ],
  'NaN is lost in the clamp of tanh': [
    [
      'export function tanh(x: v128): v128 {\n  const one',
      'export function tanh(x: v128): v128 {\n  x = f32x4.pmax(f32x4.splat(-99), x);\n  const one',
    ],
  ],
  'derivative of the sigmoid without 1 - y': [['return nmadd(y, y, y);', 'return y;']],
  'log(1 + e): a small e is lost in its sum': [
    ['kept > 0 ? (logarithm(sum) * e) / kept : e', 'Mathf.log(sum)'],
  ],
  'the exponential a term short': [['let k = 14; k > 0', 'let k = 5; k > 0']],
  'the logarithm without its exponent': [['<f64>((bits >> 52) - 1023) * LN2 + 2', '2']],
};
