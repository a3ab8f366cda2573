export const mutants = {
  'kernels: a matrix of another engine is used': [
    ['if (kept.engine === engine) return kept.places;', 'if (kept.engine) return kept.places;'],
  ],
  'kernels: what is disposed keeps its memory': [
    ['kernelsOf(kept.engine).arena.free(kept.block);', ''],
  ],
};
