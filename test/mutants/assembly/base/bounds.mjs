export const mutants = {
  'kernels trust an index of the caller': [['if (<u32>index >= <u32>count) unreachable();', '']],
};
