export const mutants = {
  'panels of four gates for the coupled lstm': [
    [
      'cell == codes.CELL_GRU_AFTER || cell == codes.CELL_LSTM_COUPLED ? 3 : 4',
      'cell == codes.CELL_GRU_AFTER ? 3 : 4',
    ],
  ],
  'int8: every row starts from the sums of the first': [['initial == sums ? q.gateRow : 0', '0']],
  'all gates have the matrix of the first': [['q.r + ((first * q.depth) << 2)', 'q.r']],
  'gradient of the state loses what it had': [['accumulate ? target : ZEROS', 'ZEROS']],
};
