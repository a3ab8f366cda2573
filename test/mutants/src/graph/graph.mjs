export const mutants = {
  'a recurrent layer may follow a pool': [['if (pooled && !own.every', 'if (false && !own.every']],
  'a convolution may leave no step': [['if (after > 0) return after;', 'return after;']],
};
