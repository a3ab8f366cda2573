export const mutants = {
  'maximum: its gradient to the last largest step': [
    ['f32x4.gt(next, sum)', 'f32x4.ge(next, sum)'],
  ],
  'mean: the divisor counts the padding where it should not': [
    ['d.divisor ? d.divisor : end - first', 'd.divisor ? d.divisor : d.size'],
  ],
  'mean: the gradient is not divided': [['if (!isMax) g = f32x4.div(g, divisor);', '']],
  'the gradient of the last window alone': [['f32x4.add(at(to, k, false, isWhole), g)', 'g']],
  'windows begin at the first step, whatever is padded': [
    ['t * d.stride - load<i32>(span)', 't * d.stride'],
  ],
  'rows end with the longest one': [
    ['min(start + d.size, load<i32>(span, 4))', 'min(start + d.size, load<i32>(d.spans, 4))'],
  ],
  'causal windows see steps that no state has': [['d.width) <= 0) t++', 'd.width) < -9) t++']],
  'gradients of windows take the first one first': [['isBack ? d.outputSteps - 1 - n : n', 'n']],
  'no gradient of a window reaches the state': [
    ['row < own ? d.dState + row * d.xRow :', 'row < own ? d.dy :'],
  ],
};
