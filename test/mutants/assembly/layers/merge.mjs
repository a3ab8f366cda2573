export const mutants = {
  'backward half of a merge dropped': [
    ['memory.copy(d.db + at, dOut + width, width);', 'memory.copy(d.db + at, dOut, width);'],
  ],
  'product of directions: factors swapped in the gradient': [
    [
      'v128.store(d.da + at + k, isProduct ? f32x4.mul(g, v128.load(d.b + at + k)) : g);',
      'v128.store(d.da + at + k, isProduct ? f32x4.mul(g, v128.load(d.a + at + k)) : g);',
    ],
  ],
  'mean of directions is their sum': [
    ['if (d.mode == codes.MERGE_AVE) z = f32x4.mul(half, z);', ''],
  ],
  'gradient of the mean is not halved': [['d.mode == codes.MERGE_AVE ? 0.5 : 1', '1']],
};
