export const mutants = {
  'repeated tokens overwrite one another’s gradient': [
    ['f32x4.add(v128.load(to + k), v128.load(from + k))', 'v128.load(from + k)'],
  ],
};
