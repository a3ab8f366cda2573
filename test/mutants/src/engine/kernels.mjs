export const mutants = {
  'numbers that are f32 are written as whole ones': [
    ['else if (floats.includes(field as string)) this.arena.floats[index] = value;', ''],
  ],
};
