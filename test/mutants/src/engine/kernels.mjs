export const mutants = {
  'numbers that are f32 are written as whole ones': [
    ['else if (isFloat) this.arena.floats[at] = value;', ''],
  ],
};
