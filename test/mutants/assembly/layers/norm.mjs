export const mutants = {
  'unbiased variance': [
    ['sumWide(low, high) / count + epsilon', 'sumWide(low, high) / (count - 1) + epsilon'],
  ],
  'no gradient through the variance': [
    ['f64x2.splat(sumWide(alongLow, alongHigh) / count)', 'f64x2.splat(0)'],
  ],
  'layer norm: padding has a deviation from the mean': [
    [
      'const q = v128.and(f64x2.sub(widenHigh(v), mean), i64x2.extend_high_i32x4_s(lanes));',
      'const q = f64x2.sub(widenHigh(v), mean);',
    ],
  ],
  'layer norm: epsilon is that of the cells': [
    [
      'standardiseRow(y, x, 1, d.width, epsilon, isCentred)',
      'standardiseRow(y, x, 1, d.width, CELL_EPSILON, isCentred)',
    ],
  ],
  'layer norm: beta has no gradient without a gamma': [['if (dBeta)', 'if (dBeta && gamma)']],
  'layer norm: gamma has the gradient of beta': [
    ['addWideProduct(dGamma + 2 * k, dy, h)', 'addWide(dGamma + 2 * k, dy)'],
  ],
  'rms norm: rows lose their mean': [
    ['isCentred ? sumWide(low, high) / count : 0', 'sumWide(low, high) / count'],
  ],
  'rms norm: gradients lose their mean': [
    ['isCentred ? sumWide(sumLow, sumHigh) / count : 0', 'sumWide(sumLow, sumHigh) / count'],
  ],
  'affine: rows are standardised': [['d.mode == codes.NORM_AFFINE) memory', 'false) memory']],
  'affine: the gradient has the offset': [['bytes, d.gamma, 0);', 'bytes, d.gamma, d.beta);']],
  'layer norm: gradients of parameters need that of the input': [
    ['for (let r = d.rows - 1; r >= 0; r--) {', 'for (let r = d.rows - 1; d.dx && r >= 0; r--) {'],
  ],
};
