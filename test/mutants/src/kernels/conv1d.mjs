export const mutants = {
  'kernels: the odd zero of same padding goes first': [
    [
      '{ left: Math.floor(zeros / 2), right: Math.ceil(zeros / 2) }',
      '{ left: Math.ceil(zeros / 2), right: Math.floor(zeros / 2) }',
    ],
  ],
  'kernels: same padding takes the stride for 1': [
    ['(outputs - 1) * stride + reach', '(outputs - 1) + reach'],
  ],
  'kernels: a disposed convolution is used': [
    ['  // A getter of the input may have disposed it.\n  shelf.of(engine, convolution);\n', ''],
  ],
};
