export const mutants = {
  'z and 1 - z swapped': [
    ['madd(v128.load(at), change, previous)', 'nmadd(v128.load(at), change, v128.load(at, 32))'],
  ],
  'the second half of a panel has no candidate': [['const n = at + v + 32;', 'const n = at + 32;']],
  'backward: the state keeps all of its gradient': [['nmadd(dh, update, dh)', 'dh']],
  'backward: update gate from the new state': [
    ['f32x4.sub(n, v128.load(s.hPrevious + h + v))', 'f32x4.sub(n, v128.load(s.h + h + v))'],
  ],
  'backward: candidate without the update gate': [['f32x4.mul(dh, update), n', 'dh, n']],
};
