export const mutants = {
  'share of the backward direction overwrites that of the forward one': [
    ['f32x4.add(v128.load(to + k), v128.load(from + k))', 'v128.load(from + k)'],
  ],
};
