export const mutants = {
  'transposed convolution: same leaves out the odd step before': [
    ['left: Math.max(taps - stride, 0) >> 1', 'left: (Math.max(taps - stride, 0) + 1) >> 1'],
  ],
  'transposed convolution: no more steps after': [['- right + outputPadding', '- right']],
  'transposed convolution: a row without a step has outputs': [
    ['n ? Math.max(0, (n - 1) * stride + single) : 0', 'Math.max(0, (n - 1) * stride + single)'],
  ],
  'transposed convolution: other steps than repeated ones': [
    ['single === stride ? `up ${stride}` : longer', 'longer'],
  ],
  'transposed convolution: other steps than a convolution': [
    ['`1 ${single - 1}`', '`1 ${single}`'],
  ],
  'transposed convolution: the gradient of the weights reads beside the inputs': [
    ['isTraining && at.input(0).row < inputRow', 'false'],
  ],
  'transposed convolution: more steps after than a stride': [
    ["padding === 'same' ? 0 : Math.max(stride, apart) - 1", "padding === 'same' ? 0 : 1e9"],
  ],
  'transposed convolution: a stream runs it': [['    noStream: ', '    noTream: ']],
};
