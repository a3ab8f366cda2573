export const mutants = {
  'bias dropped': [['addToRows(y, d.yRow, rows, wide, d.bias);', '']],
  'sums start from the bias': [
    [
      'wide, 4, ZEROS, y, d.yRow);\n  addToRows(y, d.yRow, rows, wide, d.bias);',
      'wide, 4, d.bias ? d.bias : ZEROS, y, d.yRow);',
    ],
  ],
  'gradient of the bias dropped': [
    ['if (d.bias) columnSums(d.dBias + 2 * at, y, d.yRow, d.rows, vectors);', ''],
  ],
  'what is put aside of later columns goes to those of the first': [
    ['d.dwRest ? d.dwRest + d.inputs * at : 0', 'd.dwRest'],
  ],
  'blocks of rows count from the last row of a pass': [
    ['4, dw, rest, d.summed)', '4, dw, rest, 0)'],
  ],
  'gradient of the last inputs dropped': [
    ['const wide = (d.inputs + 3) >> 2;', 'const wide = d.inputs >> 2;'],
  ],
};
