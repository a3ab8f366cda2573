export const mutants = {
  'repeated tokens overwrite one another’s gradient': [
    ['const sum = f32x4.add(a, b);', 'const sum = b;'],
  ],
  'what rounding takes from a row is kept for the first one': [
    ['d.dTableRest + (to - d.dTable) + k', 'd.dTableRest + k'],
  ],
  'rows of the table by position': [['d.table + token * d.rowBytes', 'd.table + r * d.rowBytes']],
  'gradient of the first row dropped': [['r >= 0; r--', 'r > 0; r--']],
  'gradients added the first row first': [
    ['for (let r = d.rows - 1; r >= 0; r--) {', 'for (let r = 0; r < d.rows; r++) {'],
  ],
};
