export const mutants = {
  'elements left over are copied to the first': [['    to += toStep;\n', '']],
  'an operand that repeats goes on': [
    ['const y = bStep ? v128.load(b) : v128.load_splat<f32>(b);', 'const y = v128.load(b);'],
  ],
  'rows are numbered from the front alone': [['if (index < 0) index += d.size;', '']],
  'the smallest is the largest': [
    ['f32x4.max(all, x) : f32x4.min(all, x)', 'f32x4.max(all, x) : f32x4.max(all, x)'],
  ],
  'what is not picked is zero': [
    ['v128.bitselect(x, old, f32x4.ne(y, zero))', 'v128.and(x, f32x4.ne(y, zero))'],
  ],
};
