export const mutants = {
  'masked: the cell state moves on': [
    ['if (q.cAll) memory.copy(q.c + at, q.cPrevious + at, end - from);', ''],
  ],
  'masked: the gradient of a masked step is lost': [
    ['    memory.copy(q.dh + at, q.kept + at, size);\n', ''],
  ],
  'masked: the gradient of its output goes through the cell': [
    ['    if (q.dy) memory.fill(q.dy + at, 0, size);\n', ''],
  ],
  'masked: the gradient of the cell state is lost': [
    ['    memory.copy(q.dc + at, q.keptCell + at, size);\n', ''],
  ],
};
