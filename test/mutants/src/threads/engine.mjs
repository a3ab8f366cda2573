export const mutants = {
  'the kernels of threads do not ask for a shared memory': [['bytes[MEMORY_FLAGS_AT]! |= 2;', '']],
};
