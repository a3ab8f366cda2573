export const mutants = {
  'zeros between inputs are inputs': [['if (place % up) return -1;', '']],
  'windows of four outputs reach into the next row': [['wide + 4 <= d.width', 'wide <= d.width']],
  'a mean counts what it has seen alone': [
    ['else if (d.bottom >= 0 && y < d.height + d.bottom && z < d.width + d.right) seen++;', ''],
  ],
};
