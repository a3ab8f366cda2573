export const mutants = {
  'options of a trainer stay those of the caller': [
    ["const options = frozenCopy('options', given);", 'const options = given;'],
  ],
};
