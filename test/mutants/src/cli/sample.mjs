export const mutants = {
  'the unknown is written': [['logits[UNKNOWN] = -Infinity;', '']],
};
