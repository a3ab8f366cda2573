export const mutants = {
  'a recurrent layer may follow a pool': [
    ['.resample.pools && !isRowwise', '.resample.pools && false'],
  ],
  'a convolution may leave no step': [['count < 1', 'count < 0']],
  'layers of other steps may be joined': [['others.some((grid) => grid !== before)', 'false']],
  'steps that follow in other ways are the same': [
    ['grid?.resample.key === resample.key && ', 'grid && '],
  ],
  'a layer that nobody reads is left out': [
    ['find(({ name }) => !used.has(name))', 'find(() => false)'],
  ],
};
