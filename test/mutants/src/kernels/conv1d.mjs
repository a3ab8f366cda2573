export const mutants = {
  'kernels: a disposed convolution is used': [
    ['  // A getter of the input may have disposed it.\n  shelf.of(engine, convolution);\n', ''],
  ],
  'kernels: short rows have the zeros of the longest': [
    [
      'extent.lengths.map((n) => convZeros(n, convolution)[0])',
      'extent.lengths.map(() => convZeros(steps, convolution)[0])',
    ],
  ],
  'kernels: what a place has after a short row stays': [['if (order) result.fill(0);', '']],
  'kernels: ragged rows have the states of their places': [
    ['{ ...uniformExtent(history, batch), order }', 'uniformExtent(history, batch)'],
  ],
  'kernels: a state may lie among the outputs': [
    ["if (before) checkApart(['input.state', 'out'], [before, result]);", ''],
  ],
};
