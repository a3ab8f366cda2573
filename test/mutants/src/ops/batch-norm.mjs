export const mutants = {
  'batch norm: evaluation takes the statistics of its rows': [['draw !== undefined', 'true']],
  'batch norm: the running variance is biased': [
    ['unbiased ? counted / Math.max(counted - 1, 1) : 1', '1'],
  ],
  'batch norm: the unbiased variance of one row': [['Math.max(counted - 1, 1)', '(counted - 1)']],
  'batch norm: passes of no row move the statistics': [['!isTraining || !counted', '!isTraining']],
  'batch norm: rows of sequences without a step count': [
    ['inputs.counted ?? inputs.rows', 'inputs.rows'],
  ],
  'batch norm: zeroed gradients leave their statistics': [['    discard,\n', '']],
  'batch norm: statistics move again with the next update': [
    ['own[k]!;\n      }\n      discard();', 'own[k]!;\n      }'],
  ],
  'batch norm: the last pass of an update alone': [['(1 - momentum) * sums[k]!', '0 * sums[k]!']],
  'batch norm: the momentum of Keras': [
    ['kept * running[k]! + own[k]!', '(1 - kept) * running[k]! + own[k]!'],
  ],
  'batch norm: a variance beyond float32': [
    ['Math.min(moments[k]! * factor, LARGEST)', 'moments[k]! * factor'],
  ],
};
