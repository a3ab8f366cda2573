export const mutants = {
  'a sequence of another kind is taken': [['toFloats(name, list)', 'list']],
};
