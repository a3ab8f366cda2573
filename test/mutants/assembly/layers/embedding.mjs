export const mutants = {
  'repeated tokens overwrite one another’s gradient': [
    ['f32x4.add(v128.load(to + k), v128.load(from + k))', 'v128.load(from + k)'],
  ],
  'rows of the table by position': [['d.table + token * d.rowBytes', 'd.table + r * d.rowBytes']],
  'gradient of the first row dropped': [['r >= 0; r--', 'r > 0; r--']],
  'gradients added the first row first': [
    ['for (let r = d.rows - 1; r >= 0; r--) {', 'for (let r = 0; r < d.rows; r++) {'],
  ],
};
