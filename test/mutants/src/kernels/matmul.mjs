export const mutants = {
  'kernels: panels of a matrix are as far apart as its columns': [
    ['bPanel: PANEL * 4 * k', 'bPanel: PANEL * 4 * n'],
  ],
};
