export const mutants = {
  'share of the backward direction overwrites that of the forward one': [
    [
      'addToRows(d.to + row * d.toRow, 0, 1, (d.width + 15) >> 4, source(d, row));',
      'memory.copy(d.to + row * d.toRow, source(d, row), d.width);',
    ],
  ],
  'rows are gathered without their index': [
    ['(d.index ? load<i32>(d.index + (row << 2)) : row)', 'row'],
  ],
  'a row that has ended goes on': [
    ['return row < load<i32>(offsets + (t << 2), 4) ? row : -1;', 'return row;'],
  ],
  'steps side by side in the order of a single row': [
    ['if (d.rows == 1 && d.stepRow == d.width) {', 'if (d.stepRow == d.width) {'],
  ],
  'steps side by side with the padding of their rows': [
    ['if (d.rows == 1 && d.stepRow == d.width) {', 'if (d.rows == 1) {'],
  ],
  'steps side by side keep what was there': [
    ['memory.fill(d.folded + row * d.foldedRow, 0, d.total);', ''],
  ],
  'a single row has all steps': [
    ['load<i32>(d.offsets + (d.steps << 2)) * d.width', 'd.steps * d.width'],
  ],
  'rows: dx is added to what was there': [
    ['memory.fill(dx + r * dxRow, 0, (width + 15) & ~15)', 'memory.fill(dx + r * dxRow, 0, 0)'],
  ],
  'rows: the gradient of the last state is lost': [
    ['        memory.copy(dx + rowAt(offsets, step, place) * dxRow, from, width);\n', ''],
  ],
  'rows are sorted as if their order were that of the caller': [
    [
      'const own = order ? load<i32>(order + (place << 2)) : place;\n      let count',
      'const own = place;\n      let count',
    ],
  ],
  'rows that are not there keep what the caller had': [
    ['isBack && place < d.places; place++', 'false; place++'],
  ],
  'rows that have ended take the place of others': [
    ['let place = 0; place < active;)', 'let place = 0; place < d.places;)'],
  ],
  'a run of rows goes on where they are not neighbours': [
    ['!= own + count) break', '< own) break'],
  ],
  'a run of rows goes on after those of a step': [
    ['place + count < active', 'place + count < d.places'],
  ],
};
