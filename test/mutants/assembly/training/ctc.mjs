export const mutants = {
  'a label may follow its like at once': [
    ['classAt(labels, s, blank) != classAt(labels, s - 2, blank)', 'true'],
  ],
  'the last label may not end the row': [['s < places - 2 ? NEVER', 's < places - 1 ? NEVER']],
  'the first label may not begin it': [['t == 0 && s < 2', 't == 0 && s < 1']],
  'backwards without the jump': [['mayJump(labels, s + 2, blank)', 'false']],
  'gradient not scaled': [['multiply(p, n, c.scale);', '']],
  'every row is the first of its steps': [['+ c.row) * c.outputRow', ') * c.outputRow']],
  'the size of scratch wraps at 32 bits': [
    [
      'return (2 * <f64>steps + 2) * (2 * <f64>count + 1);',
      'const n: i32 = (2 * steps + 2) * (2 * count + 1);\n  return n;',
    ],
  ],
  'labels are used unchecked': [
    ['for (let k = 0; k < count; k++) within(load<i32>(labels + (k << 2)), n);', ''],
  ],
  'a small loss is lost in a sum of float32': [
    ['wideLogarithm(sumOf(x, n))', 'wideLogarithm(<f64>sum)'],
  ],
};
