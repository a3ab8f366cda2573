export const mutants = {
  'tanh with a coefficient missing': [['p = madd(v128.load(K.TANH_C6), r2, p);', '']],
  'the slope of a saturated tanh loses digits': [
    ['const isAbove = f32x4.gt(t, v128.load(K.TWO));', 'const isAbove = v128.load(K.ZEROS);'],
  ],
  'tanh of a negative number is positive': [['v128.xor(x, size));', 'v128.load(K.ZEROS));']],
  'sigmoid of -x': [['return share(exponent, ', 'x = f32x4.neg(x);\n  return share(exponent, ']],
  'three sigmoids with the exponent of one': [['fractionOf(y, ey, 1)', 'fractionOf(y, ex, 1)']],
  'a sigmoid keeps what is below 1e-30': [
    ['return v128.andnot(y, f32x4.lt(y, v128.load(K.TINY_LIMIT)));', 'return y;'],
  ],
  'NaN is lost in the clamp of tanh': [
    ['f32x4.pmin(size, v128.load(K.TANH_CLAMP))', 'f32x4.pmin(v128.load(K.TANH_CLAMP), size)'],
  ],
  'derivative of the sigmoid without 1 - y': [['return nmadd(y, y, y);', 'return y;']],
  'log(1 + e): a small e is lost in its sum': [
    ['kept > 0 ? (logarithm(sum) * e) / kept : e', 'Mathf.log(sum)'],
  ],
  'the exponential a term short': [['let k = 14; k > 0', 'let k = 5; k > 0']],
  'the logarithm without its exponent': [['<f64>((bits >> 52) - 1023) * LN2 + 2', '2']],
};
