export const mutants = {
  'an error that is no number gives no warning': [['!(error <= BOUND)', 'error > BOUND']],
  'errors in units of the difference': [['size += value ** 2', 'size += rough[k]! ** 2']],
  'a warning from any error on': [['const BOUND = 0.05', 'const BOUND = 0']],
};
