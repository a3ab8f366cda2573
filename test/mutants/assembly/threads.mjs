export const mutants = {
  'threads: dc of another row': [['  mine.dc += rows;\n', '']],
  'threads: the mask of another row': [['  if (o.recurrentMask) o.recurrentMask += rows;\n', '']],
  'threads: scratch of normalised cells is shared': [['  o.dCell += rows;\n', '']],
  'threads: peepholes are summed by all at once': [
    [
      'if (q.peephole || q.dhSeen || (q.dr && !hasMatrix(q))) return true;',
      'if (q.dhSeen || (q.dr && !hasMatrix(q))) return true;',
    ],
  ],
  'threads: second moments of another share': [['  if (u.second) mine.second += at;\n', '']],
  'threads: a share of dx from the first row on': [
    ['denseInputs(mine, first, rows)', 'denseInputs(mine, 0, rows)'],
  ],
  'threads: a share of a loss goes to the last row': [
    [
      'cut(l.rows, 1, part, count), cut(l.rows, 1, part + 1, count)',
      'cut(l.rows, 1, part, count), l.rows',
    ],
  ],
  'threads: the last units of a step are left out': [
    [
      'const end = cut(panels, 1, thread + 1, count);',
      'const end = cut(panels - 1, 1, thread + 1, count);',
    ],
  ],
  'threads: a projection goes back in parts without columns': [
    ['if (panel < end) weightGradients', 'weightGradients'],
  ],
  'threads: normalised inputs go back in every share': [
    ['if (changetype<usize>(q.options) && q.options.gammaInput) {', 'if (false) {'],
  ],
  'threads: recurrent vectors are summed by all at once': [
    [' || (q.dr && !hasMatrix(q))) return true;', ') return true;'],
  ],
  'threads: a recurrent product of 8 bits is shared': [
    ['changetype<usize>(q.inputInt8) | changetype<usize>(q.recurrentInt8)', 'q.inputInt8'],
  ],
};
