export const mutants = {
  'the final output of a reverse layer is taken from its last step': [
    ['before?.isReverse ? POOL_FIRST : POOL_LAST', 'POOL_LAST'],
  ],
  'both directions are pooled at the last step': [
    ["if (mode !== 'last' || !top?.ways) {", 'if (mode) {'],
  ],
};
