export const mutants = {
  'last step where all rows are as long': [
    ['mode == codes.POOL_LAST ? max(0, length - 1) : 0', 'mode == codes.POOL_LAST ? steps - 1 : 0'],
  ],
  'mean over the steps of the longest row': [
    ['isMean ? <f64>countSteps(d, length, place) : 1', 'isMean ? <f64>d.steps : 1'],
  ],
  'rows without a step keep what was there': [
    ['if (first >= end) memory.fill(y, 0, d.width);', ''],
  ],
  'maximum of the last two steps': [['sum = f32x4.max(sum, next)', 'sum = next']],
  'backward: the gradient of the last step reaches the first': [
    ['mode == codes.POOL_LAST ? length - 1 : 0', '0'],
  ],
  'backward: mean not divided': [['g = f32x4.div(g, divisor);', '']],
  'backward: every maximum takes the gradient': [['v128.store(dy + k, v128.andnot(g, hit));', '']],
  'backward: gradients of the steps not taken stay from the pass before': [
    [
      'v128.store(dx + k, g);',
      'if (t == chosen || d.mode >= codes.POOL_MEAN) v128.store(dx + k, g);',
    ],
  ],
};
