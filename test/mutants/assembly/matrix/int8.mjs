export const mutants = {
  'int8: sums of a wide matrix overflow': [
    ['<f32>max(1, min(8191, (i32.MAX_VALUE >> 7) / depth))', '<f32>8191'],
  ],
  'int8: the third number of a rest is lost': [
    ['count == 2 ? two : v128.load_lane<f32>(a + 8, two, 2)', 'two'],
  ],
  'int8: what is not a number is not seen': [
    ['f32x4.max(most, f32x4.abs(v128.load(p)))', 'f32x4.pmax(most, f32x4.abs(v128.load(p)))'],
  ],
  'int8: activations are cut off': [
    ['f32x4.nearest(f32x4.mul(x, inverse))', 'f32x4.mul(x, inverse)'],
  ],
  'int8: all rows are those of the first gate': [
    ['row / m.hidden, row % m.hidden', '0, row % m.hidden'],
  ],
  'int8: weights are cut off': [['<i32>nearest(load<f32>', '<i32>(load<f32>']],
  'int8: the largest weight of 128 wraps': [['top / 127', 'top / 128']],
  'int8: rows behind the first 96 repeat them': [
    [
      'quantizeRow(g.operands + r * g.operandRow, a + (row + r) * aRow',
      'quantizeRow(g.operands + r * g.operandRow, a + r * aRow',
    ],
  ],
};
