export const mutants = {
  'a sequence of another kind is taken': [['toTokens(name, list)', 'list']],
};
