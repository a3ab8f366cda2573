export const mutants = {
  'int8: sums of a wide matrix overflow': [
    ['<f32>max(1, min(8191, (i32.MAX_VALUE >> 7) / depth))', '<f32>8191'],
  ],
  'int8: the third number of a rest is lost': [
    ['count == 2 ? two : v128.load_lane<f32>(a + 8, two, 2)', 'two'],
  ],
  'int8: what is not a number is not seen': [
    [
      'f32x4.max(most, f32x4.abs(f32x4.mul(v128.load(p)',
      'f32x4.pmax(most, f32x4.abs(f32x4.mul(v128.load(p)',
    ],
  ],
  'int8: activations are cut off': [
    ['f32x4.nearest(f32x4.mul(x, inverse))', 'f32x4.mul(x, inverse)'],
  ],
  'int8: all rows are those of the first gate': [
    ['row / m.hidden, row % m.hidden', '0, row % m.hidden'],
  ],
  'int8: weights are cut off': [['<i32>nearest(load<f32>(plain))', '<i32>load<f32>(plain)']],
  'int8: rows behind the first 96 repeat them': [
    ['quantizeRow(to, a + (row + r) * aRow', 'quantizeRow(to, a + r * aRow'],
  ],
  'int8: infinity is not held to the largest number': [
    ['min<f32>(largest(most), f32.MAX_VALUE)', 'largest(most)'],
  ],
  'int8: infinity is one more than its digits hold': [
    ['i32x4.max_s(i32x4.min_s(whole, most), i32x4.neg(most))', 'whole'],
  ],
  'int8: activations without their factors': [
    ['f32x4.mul(v128.load(a), v128.load(f + a)), inverse', 'v128.load(a), inverse'],
  ],
  'int8: the rest of a row without its factors': [
    ['depth & 3 ? f32x4.mul(last, v128.load(f + end)) : last', 'last'],
  ],
  'int8: outliers of the first row for all': [['from += aRow, to += g.cRow', 'to += g.cRow']],
  'int8: an outlier of infinity times 0': [
    [
      'x = clamp(v128.load_lane<f32>(from + p3, x, 3), f32.MAX_VALUE)',
      'x = v128.load_lane<f32>(from + p3, x, 3)',
    ],
  ],
  'int8: outliers beyond the first panel are those of its start': [
    ['addOutliers(g, first << 6', 'addOutliers(g, 0'],
  ],
};
