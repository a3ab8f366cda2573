export const mutants = {
  'padding counts in the sum': [
    ['for (let k = n; k < padded; k++) store<f32>(row + (k << 2), -f32.MAX_VALUE);', ''],
  ],
  'exponentials are not shifted by the largest': [
    ['f32x4.sub(v128.load(p), shift)', 'v128.load(p)'],
  ],
  'the temperature is dropped': [
    [
      'exponential(f32x4.mul(f32x4.sub(v128.load(p), shift), slope))',
      'exponential(f32x4.sub(v128.load(p), shift))',
    ],
  ],
};
