export const mutants = {
  'carried tokens are restored unchecked': [
    ['if (tokens) checkTokens(name, bitsOf(data), length, tokens);', ''],
  ],
};
