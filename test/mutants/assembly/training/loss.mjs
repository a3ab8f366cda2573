export const mutants = {
  'cross-entropy without the target in its gradient': [
    ['store<f32>(target, -slope * (others / sums));', ''],
  ],
  'mean squared error without its 2': [
    ['2 * half * scale * difference', 'half * scale * difference'],
  ],
  'class weights do not reach the gradient': [
    ['const slope = l.scale * weight;', 'const slope = l.scale;'],
  ],
  'ignored targets count in the mean': [['if (target == l.ignored) continue;', '']],
  'ignored targets may be found': [['chosen != l.ignored && isLikeliest', 'isLikeliest']],
  'of equal logits the last is found': [
    ['k < chosen ? other < value : other <= value', 'other <= value'],
  ],
  'ignored targets are among those to be found': [
    ['if (load<i32>(l.targets + (r << 2)) != l.ignored) x += 1;', 'x += 1;'],
  ],
  'a part of the rows has the logits of the first': [
    [
      'const ignored = l.ignored;\n  let y = l.outputs + first * l.outputRow;',
      'const ignored = l.ignored;\n  let y = l.outputs;',
    ],
  ],
  'a part of the rows has the values of the first': [
    ['l.targets + ((first * n) << 2)', 'l.targets'],
  ],
  'logits of 0 are above it': [['value > 0 : value <= 0', 'value >= 0 : value < 0']],
  'targets of 1/2 are above it': [['target > 0.5 ? value', 'target >= 0.5 ? value']],
  'errors add up with their signs': [['<f64>abs<f32>(value - target)', '<f64>(value - target)']],
  'huber straight from the first': [
    ['(kind == codes.LOSS_HUBER && size <= delta)', '(kind == codes.LOSS_HUBER && size < 0)'],
  ],
  'binary cross-entropy without its logarithm': [['+ log1p(e);', ';']],
  'cross-entropy: a small loss is lost in its sum': [['isMost ? log1p(others) : ', '']],
  'cross-entropy: a small gradient is lost beside 1': [
    ['-slope * (others / sums)', 'slope / sums * (sums - others) - slope'],
  ],
  'binary cross-entropy: a small loss is lost in its sum': [
    ['size * other + log1p(e)', 'size * other + Mathf.log(1 + e)'],
  ],
  'binary cross-entropy: a small gradient is lost beside 1': [
    ['scale * (e / (1 + e) - other)', 'scale * (1 - 1 / (1 + e) - other)'],
  ],
};
