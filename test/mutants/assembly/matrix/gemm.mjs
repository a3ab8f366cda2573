export const mutants = {
  'a wide tile counts as a narrow one': [['isWhole ? 4 : 2', '2']],
  'wide tiles of five rows have four': [['product_5x1x4(g, depth', 'product_4x1x4(g, depth']],
  'second block of the depth starts anew': [['g.i = g.c;', '']],
  'last rows of a batch skipped': [['if (rows < 3) flatBlock(g', 'if (rows == 2) flatBlock(g']],
  'panels backwards: sums start from those of another panel': [['g.iPanel = -g.iPanel;', '']],
  'first row of every sum of columns dropped': [
    [
      'for (let r = 0; r < rows; r++) {\n      x = f32x4',
      'for (let r = 1; r < rows; r++) {\n      x = f32x4',
    ],
  ],
};
