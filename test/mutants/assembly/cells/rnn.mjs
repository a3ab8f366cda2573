export const mutants = {
  'dh of the step after is counted twice': [['v128.store(s.dh + h + v, v128.load(ZEROS));', '']],
  'independent: the state does not reach the sum': [
    [
      'x = madd(v128.load(s.r + u + v), v128.load(s.a + h + v), x);',
      'x = f32x4.add(x, v128.load(s.r + u + v));',
    ],
  ],
  'independent: no gradient through the state': [
    ['madd(x_, v128.load(s.r + u + v), v128.load(s.da + h + v))', 'v128.load(s.da + h + v)'],
  ],
  'independent: gradient of the vector without the state': [
    ['madd(x_, a, v128.load(s.dr + u + v))', 'f32x4.add(x_, v128.load(s.dr + u + v))'],
  ],
};
