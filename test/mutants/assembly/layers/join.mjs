export const mutants = {
  'product: factors swapped in the gradient': [['g = f32x4.mul(g, y);', 'g = f32x4.mul(g, x);']],
  'mean of two is their sum': [
    ['if (mode == codes.JOIN_MEAN) z = f32x4.mul(f32x4.splat(0.5), z);', ''],
  ],
  'gradient of the mean is not halved': [['h = g = f32x4.mul(f32x4.splat(0.5), g);', 'h = g;']],
  'difference: both have the same gradient': [
    ['else if (mode == codes.JOIN_SUBTRACT) h = f32x4.neg(h);', ''],
  ],
  'quotient: the gradient of the divisor is not negative': [
    ['h = f32x4.neg(f32x4.div(f32x4.mul(g, x), y));', 'h = f32x4.div(f32x4.mul(g, x), y);'],
  ],
  'one feature for all has the gradient of the last': [
    ['allB = f32x4.add(allB, v128.and(h, lanes));', 'allB = v128.and(h, lanes);'],
  ],
  'features left over count four times': [['firstLanes(isWhole ? 4 : 1)', 'firstLanes(4)']],
};
