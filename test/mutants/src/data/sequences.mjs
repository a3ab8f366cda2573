export const mutants = {
  'a sequence of another kind is taken': [['sequences.forEach(checkSequence);', '']],
};
