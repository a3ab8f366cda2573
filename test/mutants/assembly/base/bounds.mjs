export const mutants = {
  'kernels trust an index of the caller': [['if (<u32>index >= <u32>count) unreachable();', '']],
  'a negative index passes': [['<u32>index >= <u32>count', 'index >= count']],
  'an index of one past the last passes': [['<u32>index >= <u32>count', '<u32>index > <u32>count']],
};
