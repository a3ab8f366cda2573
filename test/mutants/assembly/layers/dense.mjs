export const mutants = {
  'bias dropped': [['const bias = d.bias ? d.bias : ZEROS;', 'const bias = ZEROS;']],
  'gradient of the bias dropped': [
    ['if (d.bias) columnSums(d.dBias + at, y, d.yRow, d.rows, vectors);', ''],
  ],
  'gradient of the last inputs dropped': [
    ['const wide = (d.inputs + 3) >> 2;', 'const wide = d.inputs >> 2;'],
  ],
};
