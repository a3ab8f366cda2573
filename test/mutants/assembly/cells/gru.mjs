export const mutants = {
  'z and 1 - z swapped': [
    ['madd(z, f32x4.sub(previous, n), n)', 'madd(z, f32x4.sub(n, previous), previous)'],
  ],
  'reset and update gate swapped': [['two(s, r, update, gates', 'two(s, update, r, gates']],
  'reset gate not applied': [
    [
      'madd(r, v128.load(products, 32), v128.load(gates, 32))',
      'f32x4.add(v128.load(products, 32), v128.load(gates, 32))',
    ],
  ],
  'reset before: reset gate not applied': [
    [
      'v128.store(s.products + h + v, f32x4.mul(r, v128.load(s.a + h + v)));',
      'v128.store(s.products + h + v, v128.load(s.a + h + v));',
    ],
  ],
  'backward: dh (.) z dropped': [
    ['v128.store(s.dh + h, f32x4.mul(dh, update));', 'v128.store(s.dh + h, f32x4.splat(0));'],
  ],
  'backward: reset gate without the recurrent product': [
    ['by.gateBack(s, f32x4.mul(n_, v128.load(products, 32)), r', 'by.gateBack(s, n_, r'],
  ],
  'backward: update gate with the wrong sign': [
    [
      'f32x4.mul(dh, f32x4.sub(v128.load(s.hPrevious + h), n))',
      'f32x4.mul(dh, f32x4.sub(n, v128.load(s.hPrevious + h)))',
    ],
  ],
  'backward: recurrent product of n without r': [
    ['v128.store(products, f32x4.mul(n_, r), 32);', 'v128.store(products, n_, 32);'],
  ],
  'backward: n without 1 - z': [
    ['candidateBack(s, dn, n, gates + 32)', 'candidateBack(s, dh, n, gates + 32)'],
  ],
  'backward, reset before: e (.) r dropped': [
    ['madd(e, r, v128.load(s.da + h + v))', 'v128.load(s.da + h + v)'],
  ],
  'backward, reset before: reset gate without h': [
    ['const dr = f32x4.mul(e, v128.load(s.a + h + v));', 'const dr = e;'],
  ],
  'backward, reset before: dh (.) z dropped': [
    [
      'v128.store(s.dh + h + v, f32x4.mul(dh, update));',
      'v128.store(s.dh + h + v, f32x4.splat(0));',
    ],
  ],
};
