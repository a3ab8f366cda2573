export const mutants = {
  'sizes that are no exact numbers are taken': [
    ['if (Number.isSafeInteger(bytes) && bytes >= 0)', 'if (bytes >= 0)'],
  ],
  'negative sizes are taken': [
    ['if (Number.isSafeInteger(bytes) && bytes >= 0)', 'if (Number.isSafeInteger(bytes))'],
  ],
};
