export const mutants = {
  'activation: padding is sigmoid of 0': [
    [
      'v128.and(curve.at(d, v128.load(x + at)), firstLanes(d.width - whole))',
      'curve.at(d, v128.load(x + at))',
    ],
  ],
  'activation: sigmoid and tanh swapped': [
    ['return eachForward<Sigmoid>(d, y, x);', 'return eachForward<Tanh>(d, y, x);'],
  ],
  'activation: slope at the gradient': [['slope(d, v, activate(d, v))', 'slope(d, v, v)']],
  'softmax: gradient without what all have in common': [
    ['f32x4.mul(q, f32x4.sub(g, all))', 'f32x4.mul(q, g)'],
  ],
  'softmax: gradient without the temperature': [
    ['v128.store(dx + k, f32x4.mul(beta, slope))', 'v128.store(dx + k, slope)'],
  ],
  'logSoftmax: the logarithm of a probability that vanishes': [
    [
      'const v = f32x4.mul(beta, f32x4.sub(v128.load(x + (k << 2)), shift));',
      'const v = f32x4.mul(beta, f32x4.max(f32x4.sub(v128.load(x + (k << 2)), shift), f32x4.splat(-80)));',
    ],
  ],
  'softmax: the padding has a share': [
    ['softmax(y, d.width, d.beta);', 'softmax(y, rowBytes(d) >> 2, d.beta);'],
  ],
  'logSoftmax: slope of softmax': [['const slope = isLogarithm ?', 'const slope = !isLogarithm ?']],
  'activation: an infinite slope of the padding': [
    ['v128.store(dx + k, v128.and(g, firstLanes(d.width - (k >> 2))));', 'v128.store(dx + k, g);'],
  ],
  'activation: the slope at the outputs': [
    ['slope(d, v, activate(d, v))', 'slope(d, activate(d, v), activate(d, v))'],
  ],
};
