export const mutants = {
  'share of the backward direction overwrites that of the forward one': [
    ['f32x4.add(v128.load(to + k), v128.load(from + k))', 'v128.load(from + k)'],
  ],
  'rows are gathered without their index': [
    ['(d.index ? load<i32>(d.index + (row << 2)) : row)', 'row'],
  ],
  'a row that has ended goes on': [
    ['return row < load<i32>(offsets + (t << 2), 4) ? row : -1;', 'return row;'],
  ],
};
