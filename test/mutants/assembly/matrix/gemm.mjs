export const mutants = {
  'a wide tile counts as a narrow one': [['isWhole ? 4 : 2', '2']],
  'wide tiles of five rows have four': [['product_5x1x4(g, depth', 'product_4x1x4(g, depth']],
  'five rows are two small tiles': [['rows < 6 ? 1 : (rows', '(rows']],
  'second block of the depth starts anew': [['g.i = g.c;', '']],
  'last rows of a batch skipped': [['if (rows < 3) flatBlock(g', 'if (rows == 2) flatBlock(g']],
  'panels backwards: sums start from those of another panel': [['g.iPanel = -g.iPanel;', '']],
  'the second of two vectors of sums is the first': [
    ['const second: usize = v + 1 < vectors ? 16 : 0;', 'const second: usize = 0;'],
  ],
  'blocks of rows end where a pass does': [
    ['return SUM_ROWS - (summed & (SUM_ROWS - 1));', 'return SUM_ROWS;'],
  ],
  'nothing is put aside': [['if (rest && endsBlock(summed)) putAside(', 'if (false) putAside(']],
  'the last panel is not put aside': [
    ['(vectors + panelVectors - 1) / panelVectors;', 'vectors / panelVectors;'],
  ],
  'first row of every sum of columns dropped': [
    [
      'for (let r = 0; r < rows; r++) {\n      const x = v128',
      'for (let r = 1; r < rows; r++) {\n      const x = v128',
    ],
  ],
};
