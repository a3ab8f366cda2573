export const mutants = {
  'a product that is added begins at zero': [
    ['g.i = d.isAdded ? c : ZEROS;', 'g.i = ZEROS;'],
    ['g.iRow = d.isAdded ? row : 0;', 'g.iRow = 0;'],
    ['g.iPanel = d.isAdded ? 64 : 0;', 'g.iPanel = 0;'],
  ],
  'columns of b lie side by side': [['if (d.bColumn == 4) copyTap', 'if (d.bColumn) copyTap']],
  'whole vectors go over the next row': [
    ['const isWhole = (columns & 3) == 0;', 'const isWhole = true;'],
  ],
};
