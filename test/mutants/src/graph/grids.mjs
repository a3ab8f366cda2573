export const mutants = {
  'a recurrent layer may follow a pool': [
    ['grid.resample?.pools && !isRowwise', 'grid.resample?.pools && false'],
  ],
  'layers of other steps may be joined': [['others.some((other) => other !== before) ||', '']],
  'steps that follow in other ways are the same': [
    ['resample?.key === grid.resample!.key && ', ''],
  ],
  'rows of one sequence stand for those of another': [
    ['resample?.pools === true && sequence !== this.#main', 'false'],
  ],
  'a pool within a step is one row a sequence': [
    ['if (grid.outer !== undefined) return grid.outer;', ''],
  ],
};
