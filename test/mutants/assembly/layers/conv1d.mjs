export const mutants = {
  'conv1d: all taps have the weights of the first': [['    w += n << 6;\n', '']],
  'conv1d: sums of taps lie where a group has its rows': [
    ['d.slice + (groupInputs(d) < TAP_SUM ? 0 : d.windowRows * sliceRow(d))', 'd.slice'],
  ],
  'conv1d: a tap that the last window alone sees is left out': [
    ['-d.history - step - (rows - 1) * d.stride', '-d.history - step'],
  ],
  'conv1d: ragged rows have the input of their neighbours': [
    [
      'const row = t < d.steps ? rowAt(d.offsets, t, place) : -1;\n  return row < 0 ? 0 : d.x',
      'const row = t < d.steps ? load<i32>(d.offsets + (t << 2)) + place : -1;\n  return row < 0 ? 0 : d.x',
    ],
  ],
  'conv1d: windows repeat the window of another row': [
    ['load<i32>(d.outputOffsets + ((t - 1) << 2)) + place - first', 'r - 1'],
  ],
  'conv1d: windows repeat too few taps at a stride': [
    ['min(d.stride / d.dilation, d.taps)', 'min(1, d.taps)'],
  ],
  'conv1d: windows repeat what lies before their block': [['if (before >= 0) {', 'if (t > 0) {']],
  'conv1d: every group sees the first inputs': [
    ['copyTap(to, from ? from + within : 0, inputs);', 'copyTap(to, from, inputs);'],
  ],
  'conv1d: groups overwrite the columns of their neighbours': [
    [
      'copyTap(y + r * d.yRow + at, c + r * row, outputs)',
      'copyTap(y + r * d.yRow + at, c + r * row, vectors << 2)',
    ],
  ],
  'conv1d: gradients of the neighbouring group reach the weights': [
    [
      'copyTap(slice + r * row, from + r * d.dyRow, outputs)',
      'copyTap(slice + r * row, from + r * d.dyRow, vectors << 2)',
    ],
  ],
  'conv1d: depthwise gradient of the first tap alone': [
    ['const dw = tapsOf(d, d.dw, v) + (k << 6);', 'const dw = tapsOf(d, d.dw, v);'],
  ],
  'conv1d: no gradient reaches the state': [
    ['return t < 0 || !d.dState ? 0 : d.dState', 'return t < 0 || d.dState ? 0 : d.dState'],
  ],
  'conv1d: gradients take the first block of rows first': [
    [
      'for (let end = rows; end > 0; end -= d.windowRows) {\n    const first = max(0, end - d.windowRows);\n    for (let group',
      'for (let first = 0; first < rows; first += d.windowRows) {\n    const end = min(rows, first + d.windowRows);\n    for (let group',
    ],
  ],
  'conv1d: depthwise gradients take the first step first': [
    ['for (let t = d.outputSteps - 1; t >= 0; t--) {', 'for (let t = 0; t < d.outputSteps; t++) {'],
  ],
  'conv1d: the state of a short row forgets the one before': [
    ['return t < 0 ? 0 : d.state', 'return t < 0 || t >= d.history - d.steps ? 0 : d.state'],
  ],
  'conv1d: the state after is that of the longest row': [
    [
      'const first = validSteps(d.offsets, d.steps, place) - d.history;\n    for (let j = 0',
      'const first = d.steps - d.history;\n    for (let j = 0',
    ],
  ],
  'convolution: a true one, not a correlation': [
    [
      'function firstTap(d: Conv1d, t: i32, place: i32): i32 {\n  return t * d.stride - load<i32>(d.lefts + (place << 2));',
      'function firstTap(d: Conv1d, t: i32, place: i32): i32 {\n  return t * d.stride + load<i32>(d.lefts + (place << 2));',
    ],
  ],
  'convolution: every row has the zeros of the first': [
    ['load<i32>(d.lefts + (place << 2))', 'load<i32>(d.lefts)'],
  ],
  'depthwise convolution: dx takes its last output alone': [
    [
      'v128.store(dx + at, madd(g, w, v128.load(dx + at)));',
      'v128.store(dx + at, f32x4.mul(g, w));',
    ],
  ],
  'depthwise convolution: taps in the order of groups': [
    ['(((v >> 2) * d.taps) << 6)', '((v >> 2) << 6)'],
  ],
  'transposed convolution: no bias': [
    ['copyTap(d.dx + r * d.dxRow, d.bias,', 'copyTap(d.dx + r * d.dxRow, 0,'],
  ],
  'transposed convolution: every block has the first inputs': [
    ['end - first, d.dy + first * d.dyRow, d.dyRow)', 'end - first, d.dy, d.dyRow)'],
  ],
  'transposed convolution: the gradient of the bias stops with the inputs': [
    ['columnSums(d.dBias, d.x, d.xRow, inputs,', 'columnSums(d.dBias, d.x, d.xRow, outputRows(d),'],
  ],
  'transposed convolution: the gradient of the inputs of the first block alone': [
    ['if (!d.y) continue;', 'if (!d.y || first) continue;'],
  ],
  'transposed convolution: the gradient of the inputs replaces them too early': [
    [
      'productOverRows(p, rows, a, d.windowRow, depth, dy, d.dyRow, vectors, 4, dw, rest, summed);\n    if (!d.y) continue;',
      'if (!d.y) continue;',
    ],
    [
      'ZEROS, y, d.yRow);\n  }\n}',
      'ZEROS, y, d.yRow);\n    productOverRows(p, rows, a, d.windowRow, depth, dy, d.dyRow, vectors, 4, dw, rest, summed);\n  }\n}',
    ],
  ],
  'conv1d: windows of several sequences are one line': [
    [' && load<i32>(d.offsets + (d.steps << 2)) == d.steps;', ';'],
    ['outputRows(d) == d.outputSteps', 'true'],
  ],
  'conv1d: taps apart are one line': [[' && d.dilation == 1', '']],
  'conv1d: groups see the line of all inputs': [['isOne && d.groups == 1', 'isOne']],
  'conv1d: a line goes on after the last step': [
    ['count = min(end, d.steps) - step;', 'count = end - step;'],
  ],
  'conv1d: steps of a state lie in the line as those of x': [
    ['else if (step >= 0 && d.xRow == width)', 'else if (d.xRow == width)'],
  ],
  'conv1d: a line with the padding of its rows': [[' && d.xRow == width)', ')']],
  'conv1d: the windows of a line are a whole window apart': [
    ['return (d.stride * d.inputs) << 2;', 'return d.windowRow;'],
  ],
  'conv1d: blocks of rows count from each block of windows': [
    ['const summed = d.summed + outputRows(d) - first - rows;', 'const summed = d.summed;'],
  ],
  'depthwise: nothing is put aside': [['if (d.dwRest && endsBlock(summed))', 'if (false)']],
  'conv1d: a line that begins at the first output': [
    ['let step = firstTap(d, first, 0);', 'let step = firstTap(d, 0, 0);'],
  ],
};
