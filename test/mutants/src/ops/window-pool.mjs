export const mutants = {
  'upsample, pools: what is spread is added to the last pass': [
    ['if (spreads) kernels.zero(to.slot, 0, rows * to.row);', ''],
  ],
  'average pool: zeros of the padding never count': [
    ['!isMax && layer.countPadding ? poolSize : 0', '0'],
  ],
  'pools of windows: the padding may be as wide as a window': [
    ['n, 0, poolSize - 1)', 'n, 0, poolSize)'],
  ],
};
