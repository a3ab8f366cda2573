export const mutants = {
  'queries see the keys of a batch whose rows have the same place': [
    ['d.places ? load<i32>(d.places + (place << 2)) : place', 'place'],
  ],
  'all keys of the longest row are seen': [
    ['rowOf(offsets, length) + other < rowOf(offsets, length + 1)', 'true'],
  ],
  'causal: a query does not see its own step': [['min(length, t + 1)', 'min(length, t)']],
  'every head has the values of the first': [
    ['const valueFrom = head * valueWidth;', 'const valueFrom = 0;'],
  ],
  'every head has the weight of the first': [
    ['d.weight && !isOneWeight ? d.weight + from : d.weight', 'd.weight'],
  ],
  'features left over are read as four': [
    ['return isWhole ? v128.load(x) : v128.load32_zero(x);', 'return v128.load(x);'],
  ],
  'scores are not scaled': [['f32x4.mul(f32x4.splat(a), sums)', 'sums']],
  'outputs are added to those of the last pass': [['memory.fill(d.y + own, 0, valueWidth);', '']],
  'softmax: gradients without what all keys share': [
    ['f32x4.sub(v128.load(g + j), mean)', 'v128.load(g + j)'],
  ],
  'dot: gradient of a key without the scale': [
    ['add(dk, q, width, a * slope)', 'add(dk, q, width, slope)'],
  ],
  'dot: gradient of a query without the scale': [
    ['add(dq, dw, width, a);', 'add(dq, dw, width, 1);'],
  ],
  'additive: the slope of tanh is missing': [
    ['f32x4.mul(f32x4.mul(slope, u), d_tanh(t))', 'f32x4.mul(slope, u)'],
  ],
  'additive: gradients without the scale': [['t = f32x4.mul(scale, u);', 't = u;']],
  'additive: the weight has the gradients of all queries so far': [
    ['memory.fill(dw, 0, width);', ''],
  ],
  'concat: the gradient of one feature alone': [
    ['d.dWeight + (isOneWeight ? 0 : from + k)', 'd.dWeight + from + k'],
  ],
  'scale: its gradient without the constant factor': [['d.factor * <f32>dScale', '<f32>dScale']],
};
