export const mutants = {
  'softmax: all probabilities are alike': [['alpha = 0, beta = 1', 'alpha = 0, beta = 0']],
};
