export const mutants = {
  'int8: every row starts from the sums of the first': [['initial == sums ? q.gateRow : 0', '0']],
  'all gates have the matrix of the first': [['q.r + ((first * q.depth) << 2)', 'q.r']],
  'gradient of the state loses what it had': [['accumulate ? target : ZEROS', 'ZEROS']],
};
