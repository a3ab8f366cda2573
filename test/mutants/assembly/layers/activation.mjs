export const mutants = {
  'activation: padding is sigmoid of 0': [
    ['v128.store(y, v128.and(v128.load(y), firstLanes((<i32>(end - y)) >> 2)));', ''],
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
  'prelu: 0 is below': [
    [
      'const isAbove = f32x4.ge(v, v128.load(ZEROS));',
      'const isAbove = f32x4.gt(v, v128.load(ZEROS));',
    ],
  ],
  'prelu: one slope is that of the first four features': [
    ['isOne ? v128.load_splat<f32>(d.slopes) : v128.load(d.slopes + k)', 'v128.load(d.slopes + k)'],
  ],
  'prelu: the gradient of x has no slope': [
    ['v128.bitselect(g, f32x4.mul(slopesAt(d, k), g), isAbove)', 'v128.and(g, isAbove)'],
  ],
  'prelu: the slope learns from numbers above 0': [
    ['v128.andnot(f32x4.mul(v, g), isAbove)', 'f32x4.mul(v, g)'],
  ],
  'prelu: the slope learns from the first row alone': [
    ['else addWide(to + 2 * k, da);', 'else v128.store(to + 2 * k, da);'],
  ],
  'prelu: one slope learns from the first row alone': [
    ['load<f64>(to) + <f64>sum(all)', '<f64>sum(all)'],
  ],
  'prelu: what lies after a row counts': [
    ['const da = v128.and(own, firstLanes(d.width - (k >> 2)));', 'const da = own;'],
  ],
  'prelu: what lies after a row is in the outputs': [
    [
      'v128.store(y + k, v128.and(own, firstLanes(d.width - (k >> 2))));',
      'v128.store(y + k, own);',
    ],
  ],
  'prelu: rows are summed from the first': [
    ['for (let r = d.rows - 1; r >= 0; r--) {', 'for (let r = 0; r < d.rows; r++) {'],
  ],
  'activation: the slope at the outputs': [
    ['slope(d, v, activate(d, v))', 'slope(d, activate(d, v), activate(d, v))'],
  ],
  'pow: any power is a square': [['if (d.alpha == 2) return', 'return']],
  'sqrt: the square': [
    ['return eachForward<Root>(d, y, x);', 'return eachForward<Square>(d, y, x);'],
  ],
  'pow: the square is the root': [
    ['return eachForward<Square>(d, y, x);', 'return eachForward<Root>(d, y, x);'],
  ],
};
