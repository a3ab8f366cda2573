export const mutants = {
  'a model may have any number of sub-layers': [['if (count > MAX_LAYERS) {', 'if (false) {']],
  'names may have any length': [['return isKey && name.length <= MAX_NAME;', 'return isKey;']],
};
