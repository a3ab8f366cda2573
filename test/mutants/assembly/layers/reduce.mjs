export const mutants = {
  'features left over count four times': [['firstLanes(isWhole ? 4 : 1)', 'firstLanes(4)']],
  'the largest is at least 0': [
    ['isMax ? v128.load_splat<f32>(x) : f32x4.splat(0)', 'f32x4.splat(0)'],
  ],
  'the mean is the sum': [['if (d.mode == codes.REDUCE_MEAN) y /= <f32>d.width;', '']],
  'gradient of the mean is not divided': [
    ['d.mode == codes.REDUCE_MEAN ? <f32>d.width : 1;', '<f32>1;'],
  ],
  'every largest feature has the gradient': [['        g = 0;\n', '']],
  'features that are not the largest keep what was there': [
    ['} else store<f32>(dx + at, 0);', '}'],
  ],
};
