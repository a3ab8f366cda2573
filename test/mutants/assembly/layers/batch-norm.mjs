export const mutants = {
  'batch norm: an unbiased variance': [
    ['1 / <f64>max(d.counted, 1)', '1 / <f64>max(d.counted - 1, 1)'],
  ],
  'batch norm: no gradient through the variance': [
    ['f64x2.mul(p, v128.load(along))', 'f64x2.splat(0)'],
  ],
  'batch norm: no gradient through the mean': [
    ['f64x2.add(v128.load(sum), f64x2.mul(p,', 'f64x2.add(f64x2.splat(0), f64x2.mul(p,'],
  ],
  'batch norm: rows that do not count have their share': [['r < d.counted ? share : 0', 'share']],
  'batch norm: the statistics are those of all rows': [
    ['eachRow(d, MEAN, d.counted)', 'eachRow(d, MEAN, d.rows)'],
    ['? share : 0', '? share : share'],
  ],
  'batch norm: what lies beside a row counts': [
    ['k + 1 < width ? v128.load64_zero(at) : v128.load32_zero(at)', 'v128.load64_zero(at)'],
  ],
  'batch norm: sums of the last pass are there still': [['memory.fill(sums, 0, bytes << 1);', '']],
  'batch norm: statistics of the last pass are there still': [
    ['memory.fill(d.statistics, 0, bytes << 1);', ''],
  ],
  'batch norm: gradients of parameters need that of the input': [
    ['eachRow(d, SUMS, d.rows);', 'if (d.dx) eachRow(d, SUMS, d.rows);'],
  ],
  'batch norm: gradients of parameters replace the earlier ones': [
    [
      'put(d.dGamma, k, f64x2.add(pair(d.dGamma, k, d.width), v128.load(at + bytes)))',
      'put(d.dGamma, k, v128.load(at + bytes))',
    ],
  ],
  'batch norm: no epsilon': [['+ <f64>d.epsilon', '']],
};
