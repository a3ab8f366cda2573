export const mutants = {
  'average pool: zeros of the padding never count': [
    ['!isMax && layer.countPadding ? poolSize : 0', '0'],
  ],
  'pools of windows: the padding may be as wide as a window': [
    ['n, 0, poolSize - 1)', 'n, 0, poolSize)'],
  ],
  'causal pools: no step of theirs has a mark': [['marked[k] = 1', 'marked[k] = 0']],
  'pools with a stride stream': [["padding === 'causal' && stride === 1", "padding === 'causal'"]],
};
