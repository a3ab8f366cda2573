export const mutants = {
  'gradient of a tied weight counts again at the next update': [['store<f32>(inner, 0);', '']],
  'gradient of a tied weight takes the place of that of the table': [
    [
      'store<f32>(outer, load<f32>(outer) + load<f32>(inner));',
      'store<f32>(outer, load<f32>(inner));',
    ],
  ],
  'the last rows are not transposed': [
    ['const padded = (depth + 3) & ~3;', 'const padded = depth & ~3;'],
  ],
  'panels: all gates share them': [['  if (gate >= together) return gate * padded + unit;\n', '']],
};
