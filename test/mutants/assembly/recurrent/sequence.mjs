export const mutants = {
  'the second bias is dropped': [['addToRows(q.bias, 0, 1, columnVectors, q.biasHidden);', '']],
  'sums of a gated unit start from the bias': [
    ['const isLate = isGru || ', 'const isLate = '],
    ['  else if (isGru) addToRows(gates, q.gateRow, rows, vectors, q.bias);', ''],
  ],
  'a masked state: its gradient starts from that of the step after': [
    ['    memory.fill(q.da, 0, q.active * q.stateRow);\n', ''],
  ],
  'zoneout and projection see the gradient of the outputs twice': [['  q.dy = 0;\n', '']],
  'peephole form cell: products see h': [
    ['q.a = q.operand == codes.OPERAND_CELL ? q.cPrevious : q.hPrevious;', 'q.a = q.hPrevious;'],
  ],
  'peephole form cell: gradient of the products goes to dh': [
    ['q.da = q.operand == codes.OPERAND_CELL ? q.dc : q.dh;', 'q.da = q.dh;'],
  ],
  'peephole form cell: gradient of R from h': [
    ['const states = q.operand == codes.OPERAND_CELL ? q.cAll : q.hAll;', 'const states = q.hAll;'],
  ],
  'gradient of R from the state after the step': [
    [
      'const states = q.operand == codes.OPERAND_CELL ? q.cAll : q.hAll;',
      'const states = (q.operand == codes.OPERAND_CELL ? q.cAll : q.hAll) + q.batch * q.stateRow;',
    ],
  ],
  'reset after: gradient of R without r': [
    ['? q.productsAll : q.gatesAll;', '? q.gatesAll : q.gatesAll;'],
  ],
  'recurrent bias of a gated unit dropped': [
    ['addToRows(q.products + at, q.gateRow, q.active, columns >> 2, bias);', ''],
  ],
  'gradient of the input bias dropped': [
    ['columnSums(q.dBiasInput +', 'if (false) columnSums(q.dBiasInput +'],
  ],
  'gradient of the recurrent bias is that of the input bias': [
    ['columnSums(dBiasHidden, recurrent + at', 'columnSums(dBiasHidden, z'],
  ],
  'the recurrent bias of later panels has the gradient of the first': [
    ['q.dBiasInput + 2 * at, vectors << 5', 'q.dBiasInput, vectors << 5'],
  ],
  'gradient of R: blocks of rows count from each length': [
    ['q.summed + rowsOf(q) - firstRow(q, end)', 'q.summed'],
  ],
  'rows after a step are those of the pass': [
    [
      'q.after = q.summed + rowsOf(q) - firstRow(q, t + 1);',
      'q.after = rowsOf(q) - firstRow(q, t + 1);',
    ],
  ],
  'panels of a candidate are put aside with those of its gates': [
    ['if (vectors <= 0) return;', ''],
  ],
  'loss on the outputs ignored': [['q.dy = q.dyAll ?', 'q.dy = false ?']],
  'biases ignored': [
    ['const initial = q.bias && !isLate ? q.bias : ZEROS;', 'const initial = ZEROS;'],
  ],
  'second chunk of steps reads the inputs of the first': [['q.x + first * q.xRow', 'q.x']],
  'backward stops before the first step': [
    ['for (let t = end - 1; t >= first; t--) {', 'for (let t = end - 1; t > first; t--) {'],
  ],
  'states before a step where all rows are as long': [
    ['return t ? q.batch + firstRow(q, t - 1) : 0;', 'return t * q.batch;'],
  ],
  'gradient of R taken in one piece over differing lengths': [
    ['previousRow(q, first) - previousRow(q, first - 1) == rows', 'true'],
  ],
  'the gradient seen at a step is that of the step before': [
    ['const to = q.norms + (t << 4);', 'const to = q.norms + (max(t - 1, 0) << 4);'],
  ],
};
