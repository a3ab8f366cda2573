/**
 * Faults that people really make in recurrent networks, as edits of the sources. Each `[from, to]`
 * must match its file exactly once.
 *
 * @type {{ name: string, file: string, edits: [string, string][] }[]}
 */
export const mutants = [
  ...mutantsOf('assembly/matrix/int8.ts', {
    'int8: sums of a wide matrix overflow': [
      ['<f32>max(1, min(8191, (i32.MAX_VALUE >> 7) / depth))', '<f32>8191'],
    ],
    'int8: the third number of a rest is lost': [
      ['count == 2 ? two : v128.load_lane<f32>(a + 8, two, 2)', 'two'],
    ],
    'int8: what is not a number is not seen': [
      ['f32x4.max(most, f32x4.abs(v128.load(p)))', 'f32x4.pmax(most, f32x4.abs(v128.load(p)))'],
    ],
    'int8: activations are cut off': [
      ['f32x4.nearest(f32x4.mul(x, inverse))', 'f32x4.mul(x, inverse)'],
    ],
    'int8: all rows are those of the first gate': [
      ['row / m.hidden, row % m.hidden', '0, row % m.hidden'],
    ],
    'int8: weights are cut off': [['<i32>nearest(load<f32>', '<i32>(load<f32>']],
    'int8: the largest weight of 128 wraps': [['top / 127', 'top / 128']],
    'int8: rows behind the first 96 repeat them': [
      [
        'quantizeRow(g.operands + r * g.operandRow, a + (row + r) * aRow',
        'quantizeRow(g.operands + r * g.operandRow, a + r * aRow',
      ],
    ],
  }),
  ...mutantsOf('assembly/recurrent/around.ts', {
    'zoneout keeps what it should renew': [
      ['madd(share, f32x4.sub(h, before), before)', 'madd(share, f32x4.sub(before, h), h)'],
    ],
    'zoneout: no gradient along the kept state': [
      ['kept = f32x4.sub(d, passed)', 'kept = f32x4.sub(d, d)'],
    ],
    'projection clip has a gradient outside of its bound': [
      ['if (o.projected) d = v128.andnot(d, wasClipped(q, o, k));', ''],
    ],
    'recurrent dropout: the gradient is not masked': [
      ['f32x4.mul(v128.load(mask + k), v128.load(q.da + k))', 'v128.load(q.da + k)'],
    ],
    'layer norm: bias of the state added after the reset': [
      ['const beta = isApart ? q.biasHidden : 0;', 'const beta = 0;'],
    ],
    'what the cell leaves of its share of dh is lost': [
      ['f32x4.add(v128.load(q.dh + k), v128.load(left + k))', 'v128.load(q.dh + k)'],
    ],
    'layer norm of the state per gate': [
      [
        'standardise(hat, inverse, q.products, q.gateRow, q.active, gateCount(q), q.hidden)',
        'standardise(hat, inverse, q.products, q.gateRow, q.active, 1, q.hidden)',
      ],
    ],
  }),
  ...mutantsOf('assembly/cells/policy.ts', {
    'gradients of gates are not bounded': [
      [
        'return clamp(f32x4.mul(d, d_sigmoid(y)), s.gradientLimit);',
        'return f32x4.mul(d, d_sigmoid(y));',
      ],
    ],
    'gradients of gates with options are not bounded': [
      [
        'return clamp(v128.and(passed, within(x, limit)), s.gradientLimit);',
        'return v128.and(passed, within(x, limit));',
      ],
    ],
    'clip has a gradient outside of its bound': [['v128.and(passed, within(x, limit))', 'passed']],
    'the sum of the second gate is not kept': [['    v128.store(b + s.toSums, y);\n', '']],
    'the third gate is not clipped': [['  z = clamp(z, limit);\n', '']],
    'the slope of the candidate is that of the gates': [
      ['openBack(s, s.options.candidate, d', 'openBack(s, s.options.gate, d'],
    ],
    'cell clip has a gradient outside of its bound': [
      ['v128.andnot(dc, f32x4.ge(f32x4.abs(c), f32x4.splat(s.options.cellClip)))', 'dc'],
    ],
    'gates not differentiated': [
      ['clamp(f32x4.mul(d, d_sigmoid(y)), s.gradientLimit)', 'clamp(d, s.gradientLimit)'],
    ],
    'tanh not differentiated': [['return d_tanh(y);', 'return f32x4.splat(1);']],
    'relu passes every gradient': [
      ['return v128.and(f32x4.gt(y, v128.load(ZEROS)), v128.load(ONE));', 'return v128.load(ONE);'],
    ],
  }),
  ...mutantsOf('assembly/layers/norm.ts', {
    'unbiased variance': [
      ['sumWide(low, high) / count + epsilon', 'sumWide(low, high) / (count - 1) + epsilon'],
    ],
    'no gradient through the variance': [
      ['f64x2.splat(sumWide(alongLow, alongHigh) / count)', 'f64x2.splat(0)'],
    ],
    'layer norm: padding has a deviation from the mean': [
      [
        'const q = v128.and(f64x2.sub(widenHigh(v), mean), i64x2.extend_high_i32x4_s(lanes));',
        'const q = f64x2.sub(widenHigh(v), mean);',
      ],
    ],
    'layer norm: epsilon is that of the cells': [
      [
        'standardiseRow(y, d.x + r * d.xRow, 1, d.width, epsilon)',
        'standardiseRow(y, d.x + r * d.xRow, 1, d.width, CELL_EPSILON)',
      ],
    ],
    'layer norm: beta has no gradient without a gamma': [['if (dBeta)', 'if (dBeta && gamma)']],
    'layer norm: gradients of parameters need that of the input': [
      [
        'for (let r = d.rows - 1; r >= 0; r--) {',
        'for (let r = d.rows - 1; d.dx && r >= 0; r--) {',
      ],
    ],
  }),
  ...mutantsOf('assembly/layers/activation.ts', {
    'activation: padding is sigmoid of 0': [
      [
        'v128.and(curve.at(d, v128.load(x + at)), firstLanes(d.width - whole))',
        'curve.at(d, v128.load(x + at))',
      ],
    ],
    'activation: sigmoid and tanh swapped': [
      ['return eachForward<Sigmoid>(d, y, x);', 'return eachForward<Tanh>(d, y, x);'],
    ],
    'activation: slope at the gradient': [['slope(d, v, activate(d, v))', 'slope(d, v, v)']],
    'softmax: gradient without what all have in common': [
      ['f32x4.mul(q, f32x4.sub(g, all))', 'f32x4.mul(q, g)'],
    ],
    'softmax: gradient without the temperature': [
      ['v128.store(dx + k, f32x4.mul(beta, slope))', 'v128.store(dx + k, slope)'],
    ],
    'logSoftmax: the logarithm of a probability that vanishes': [
      [
        'const v = f32x4.mul(beta, f32x4.sub(v128.load(x + (k << 2)), shift));',
        'const v = f32x4.mul(beta, f32x4.max(f32x4.sub(v128.load(x + (k << 2)), shift), f32x4.splat(-80)));',
      ],
    ],
    'softmax: the padding has a share': [
      ['softmax(y, d.width, d.beta);', 'softmax(y, rowBytes(d) >> 2, d.beta);'],
    ],
    'logSoftmax: slope of softmax': [
      ['const slope = isLogarithm ?', 'const slope = !isLogarithm ?'],
    ],
    'activation: the slope at the outputs': [
      ['slope(d, v, activate(d, v))', 'slope(d, activate(d, v), activate(d, v))'],
    ],
  }),
  ...mutantsOf('assembly/layers/conv1d.ts', {
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
        'copyTap(d.slice + r * row, from + r * d.dyRow, outputs)',
        'copyTap(d.slice + r * row, from + r * d.dyRow, vectors << 2)',
      ],
    ],
    'conv1d: dx is added to what was there': [
      ['memory.fill(d.dx + r * d.dxRow, 0, width)', 'memory.fill(d.dx + r * d.dxRow, 0, 0)'],
    ],
    'conv1d: depthwise gradient of the first tap alone': [
      ['const dw = tapsOf(d, d.dw, v) + (k << 6);', 'const dw = tapsOf(d, d.dw, v);'],
    ],
    'conv1d: no gradient reaches the state': [
      ['return t < 0 || !d.dState ? 0 : d.dState', 'return t < 0 || d.dState ? 0 : d.dState'],
    ],
    'conv1d: the gradient of the last state is lost': [
      ['      memory.copy(to, from, width);\n', ''],
    ],
    'conv1d: gradients take the first block of rows first': [
      [
        'for (let end = rows; end > 0; end -= d.windowRows) {\n    const first = max(0, end - d.windowRows);',
        'for (let first = 0; first < rows; first += d.windowRows) {\n    const end = min(rows, first + d.windowRows);',
      ],
    ],
    'conv1d: depthwise gradients take the first step first': [
      [
        'for (let t = d.outputSteps - 1; t >= 0; t--) {',
        'for (let t = 0; t < d.outputSteps; t++) {',
      ],
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
  }),
  ...mutantsOf('src/ops/activation.ts', {
    'activation of a layer: features of rows that are padded': [
      ['width: this.inputs,', 'width: this.rowLength,'],
    ],
    'activation of a layer: no gradient goes through': [
      ['if (wantsInput) run.activation_backward', 'if (!wantsInput) run.activation_backward'],
    ],
    'activation of a layer: rows of the pass before': [
      [
        "arrange: ({ rows }) => kernels.set(layer, 'rows', rows)",
        "arrange: ({ rows }) => kernels.set(layer, 'rows', rows - 1)",
      ],
    ],
  }),
  ...mutantsOf('src/ops/activations.ts', {
    'softmax: all probabilities are alike': [['alpha = 0, beta = 1', 'alpha = 0, beta = 0']],
  }),
  ...mutantsOf('src/ops/norm.ts', {
    'layerNorm: beta without gamma is none': [
      [
        "beta: bias ? at.parameter('bias') : NONE",
        "beta: bias && scale ? at.parameter('bias') : NONE",
      ],
    ],
    'layerNorm: the epsilon of a cell': [['          epsilon,\n', '          epsilon: 1e-5,\n']],
    'layerNorm: no gradient of beta': [["dBeta: bias ? at.gradient('bias') : NONE", 'dBeta: NONE']],
    'layerNorm: no gradient of the inputs': [
      ["kernels.set(norm, 'dx', wantsInput ?", "kernels.set(norm, 'dx', !wantsInput ?"],
    ],
  }),
  ...mutantsOf('src/engine/conv1d.ts', {
    'conv1d: same puts more zeros before': [
      [
        '[Math.floor(zeros / 2), Math.ceil(zeros / 2)]',
        '[Math.ceil(zeros / 2), Math.floor(zeros / 2)]',
      ],
    ],
    'conv1d: same takes the stride for 1': [
      ['(outputs - 1) * stride + reach', '(outputs - 1) + reach'],
    ],
    'conv1d: an output of a row without steps': [['length === 0 || room < 0', 'room < 0']],
  }),
  ...mutantsOf('src/ops/conv1d.ts', {
    'conv1d: the zeros of the longest row for all': [
      ['convZeros(length, this.#layer)[0]', 'convZeros(extent.steps, this.#layer)[0]'],
    ],
    'conv1d: the state of the batch as if all rows were there': [
      [
        'return history * batch + offsets[step]! + place;',
        'return (history + step) * batch + place;',
      ],
    ],
    'conv1d: a state of one step less': [
      [
        'const count = isCausal ? this.#reach : 0;',
        'const count = isCausal ? Math.min(this.#reach, 1) : 0;',
      ],
    ],
    'conv1d: the inputs are lost where their gradient takes their place': [
      ['const isCopied = history > 0 || isReplaced;', 'const isCopied = history > 0;'],
    ],
    'conv1d: a transpose of depthwise weights': [
      ['isTraining && sizes.wTransposed > 0', 'isTraining'],
    ],
    'conv1d: streams whatever the stride': [
      [
        "const isCausal = padding === 'causal' && stride === 1;",
        "const isCausal = padding === 'causal';",
      ],
    ],
  }),
  ...mutantsOf('src/graph/workspace.ts', {
    'the last states are those after as many steps as inputs': [
      [
        'const extent = this.#inputsOf(index);\n      if (!extent.order)',
        'const { extent } = this;\n      if (!extent.order)',
      ],
    ],
  }),
  ...mutantsOf('src/model/gates.ts', {
    'gates: as many steps as inputs': [
      ['const total = this.#steps.get(node)!;', 'const { total } = stretch;'],
    ],
  }),
  ...mutantsOf('assembly/base/activations.ts', {
    'elu: slope of e^x for any alpha': [['f32x4.add(y, a), one', 'f32x4.add(y, one), one']],
    'elu: e^x - 1 cancels': [
      [
        'f32x4.div(f32x4.mul(f32x4.add(a, a), t), f32x4.sub(v128.load(ONE), t))',
        'f32x4.mul(a, f32x4.sub(exponential(x), v128.load(ONE)))',
      ],
    ],
    'scaled tanh: slope without beta': [
      ['f32x4.mul(f32x4.mul(a, b), d_tanh', 'f32x4.mul(a, d_tanh'],
    ],
    'hard sigmoid of Keras 3': [
      ['f32x4.pmin(madd(a, x, b), ', 'f32x4.pmin(madd(f32x4.splat(1 / 6), x, b), '],
    ],
    'selu: the scale is missing above 0': [['f32x4.mul(f32x4.splat(SELU_SCALE), x)', 'x']],
    'gelu: the tail below 0 is mirrored': [
      ['v128.bitselect(tail, f32x4.sub(one, tail)', 'v128.bitselect(f32x4.sub(one, tail), tail'],
    ],
    'gelu: slope without the density': [
      [
        'return madd(f32x4.mul(x, f32x4.splat(DENSITY_AT_ZERO)), density, normal(x));',
        'return normal(x);',
      ],
    ],
    'silu: slope of the sigmoid alone': [['madd(y, f32x4.sub(one, s), s)', 's']],
  }),
  ...mutantsOf('assembly/cells/lstm.ts', {
    'input and forget gate swapped': [
      [
        'by.three(s, i, f, v128.load(output), gates, second',
        'by.three(s, f, i, v128.load(output), gates, second',
      ],
    ],
    'cell and output gate swapped': [
      [
        'const g = v128.load(gates + (coupled ? 16 : 32));',
        'const g = v128.load(gates + (coupled ? 32 : 48));',
      ],
      [
        'const at = s.gates + z + (coupled ? 32 : 48);',
        'const at = s.gates + z + (coupled ? 16 : 32);',
      ],
    ],
    'peepholes of input and forget gate swapped': [
      [
        'i = madd(v128.load(peephole), c0, i)',
        'i = madd(v128.load(peephole + s.hiddenBytes), c0, i)',
      ],
      [
        'f = madd(v128.load(peephole + s.hiddenBytes), c0, f)',
        'f = madd(v128.load(peephole), c0, f)',
      ],
    ],
    'peepholes in the order input, output, forget (ONNX)': [
      [
        'f = madd(v128.load(peephole + s.hiddenBytes), c0, f)',
        'f = madd(v128.load(peephole + 2 * s.hiddenBytes), c0, f)',
      ],
      ['s.peephole + u + (coupled ? 1 : 2) * s.hiddenBytes', 's.peephole + u + s.hiddenBytes'],
    ],
    'output gate sees the old cell state': [
      [
        'madd(v128.load(peephole), c, o)',
        'madd(v128.load(peephole), v128.load(s.cPrevious + h), o)',
      ],
    ],
    'coupled gates do not forget': [['madd(i, f32x4.sub(g, c0), c0)', 'madd(i, g, c0)']],
    'h and c stored in each other’s place': [
      ['v128.store(s.c + h, c);', 'v128.store(s.h + h, c);'],
      [
        'v128.store(s.h + h, flush(f32x4.mul(o, by.output(s, out))))',
        'v128.store(s.c + h, flush(f32x4.mul(o, by.output(s, out))))',
      ],
    ],
    'h without tanh of c': [['flush(f32x4.mul(o, by.output(s, out)))', 'flush(f32x4.mul(o, out))']],
    'c is never flushed': [
      ['const c = flush(by.bounded(s, next));', 'const c = by.bounded(s, next);'],
    ],
    'backward: dc of the step after dropped': [
      [
        'by.outputSlope(s, c, t), v128.load(s.dc + h))',
        'by.outputSlope(s, c, t), v128.load(ZEROS))',
      ],
    ],
    'backward: dh does not reach dc': [
      [
        'madd(f32x4.mul(dh, o_), by.outputSlope(s, c, t), v128.load(s.dc + h))',
        'v128.load(s.dc + h)',
      ],
    ],
    'backward: tanh(c) not differentiated': [
      [
        'madd(f32x4.mul(dh, o_), by.outputSlope(s, c, t), v128.load(s.dc + h))',
        'madd(dh, o_, v128.load(s.dc + h))',
      ],
    ],
    'backward: peephole of the output gate dropped from dc': [
      ['dc = madd(v128.load(s.peephole + output), o_, dc);', ''],
    ],
    'backward: peephole of the input gate dropped from dc': [
      ['dc0 = madd(v128.load(s.peephole + input), i_, dc0);', ''],
    ],
    'backward: peephole of the forget gate dropped from dc': [
      ['dc0 = madd(v128.load(s.peephole + forget), f_, dc0);', ''],
    ],
    'backward: gradient of the input peephole dropped': [
      ['accumulate(s.dPeephole + input, i_, c0);', ''],
    ],
    'backward: gradient of the forget peephole dropped': [
      ['accumulate(s.dPeephole + forget, f_, c0);', ''],
    ],
    'backward: gradient of the output peephole from the old c': [
      ['accumulate(s.dPeephole + output, o_, c);', 'accumulate(s.dPeephole + output, o_, c0);'],
    ],
    'backward: coupled gate without its forget term': [
      ['dc, coupled ? f32x4.sub(g, c0) : g', 'dc, g'],
    ],
    'backward: coupled dc without the forget factor': [['dc0 = nmadd(dc, i, dc);', 'dc0 = dc;']],
    'backward: dc without the forget factor': [
      [
        'dc0 = f32x4.mul(dc, f);\n      v128.store(gates, f_, 16)',
        'dc0 = dc;\n      v128.store(gates, f_, 16)',
      ],
    ],
    'backward: gradient of the forget gate from the new c': [
      ['by.gateBack(s, f32x4.mul(dc, c0), f', 'by.gateBack(s, f32x4.mul(dc, c), f'],
    ],
    'backward: output gate not differentiated': [
      ['o_ = by.gateBack(s, f32x4.mul(dh, t), o_, last);', 'o_ = f32x4.mul(dh, t);'],
    ],
    'backward: candidate not differentiated': [
      ['by.candidateBack(s, f32x4.mul(dc, i), g, candidate)', 'f32x4.mul(dc, i)'],
    ],
    'backward, apart: dc of the step after dropped': [
      [
        'f32x4.add(v128.load(s.options.dCell + h), v128.load(s.dc + h))',
        'v128.load(s.options.dCell + h)',
      ],
    ],
  }),

  ...mutantsOf('assembly/cells/gru.ts', {
    'z and 1 - z swapped': [
      ['madd(z, f32x4.sub(previous, n), n)', 'madd(z, f32x4.sub(n, previous), previous)'],
    ],
    'reset and update gate swapped': [['two(s, r, update, gates', 'two(s, update, r, gates']],
    'reset gate not applied': [
      [
        'madd(r, v128.load(products, 32), v128.load(gates, 32))',
        'f32x4.add(v128.load(products, 32), v128.load(gates, 32))',
      ],
    ],
    'reset before: reset gate not applied': [
      [
        'v128.store(s.products + h + v, f32x4.mul(r, v128.load(s.a + h + v)));',
        'v128.store(s.products + h + v, v128.load(s.a + h + v));',
      ],
    ],
    'backward: dh (.) z dropped': [
      ['v128.store(s.dh + h, f32x4.mul(dh, update));', 'v128.store(s.dh + h, f32x4.splat(0));'],
    ],
    'backward: reset gate without the recurrent product': [
      ['by.gateBack(s, f32x4.mul(n_, v128.load(products, 32)), r', 'by.gateBack(s, n_, r'],
    ],
    'backward: update gate with the wrong sign': [
      [
        'f32x4.mul(dh, f32x4.sub(v128.load(s.hPrevious + h), n))',
        'f32x4.mul(dh, f32x4.sub(n, v128.load(s.hPrevious + h)))',
      ],
    ],
    'backward: recurrent product of n without r': [
      ['v128.store(products, f32x4.mul(n_, r), 32);', 'v128.store(products, n_, 32);'],
    ],
    'backward: n without 1 - z': [
      ['candidateBack(s, dn, n, gates + 32)', 'candidateBack(s, dh, n, gates + 32)'],
    ],
    'backward, reset before: e (.) r dropped': [
      ['madd(e, r, v128.load(s.da + h + v))', 'v128.load(s.da + h + v)'],
    ],
    'backward, reset before: reset gate without h': [
      ['const dr = f32x4.mul(e, v128.load(s.a + h + v));', 'const dr = e;'],
    ],
    'backward, reset before: dh (.) z dropped': [
      [
        'v128.store(s.dh + h + v, f32x4.mul(dh, update));',
        'v128.store(s.dh + h + v, f32x4.splat(0));',
      ],
    ],
  }),

  ...mutantsOf('assembly/cells/mingru.ts', {
    'z and 1 - z swapped': [
      ['madd(v128.load(at), change, previous)', 'nmadd(v128.load(at), change, v128.load(at, 32))'],
    ],
    'the second half of a panel has no candidate': [
      ['const n = at + v + 32;', 'const n = at + 32;'],
    ],
    'backward: the state keeps all of its gradient': [['nmadd(dh, update, dh)', 'dh']],
    'backward: update gate from the new state': [
      ['f32x4.sub(n, v128.load(s.hPrevious + h + v))', 'f32x4.sub(n, v128.load(s.h + h + v))'],
    ],
    'backward: candidate without the update gate': [['f32x4.mul(dh, update), n', 'dh, n']],
  }),

  ...mutantsOf('assembly/cells/rnn.ts', {
    'dh of the step after is counted twice': [['v128.store(s.dh + h + v, v128.load(ZEROS));', '']],
    'independent: the state does not reach the sum': [
      [
        'x = madd(v128.load(s.r + u + v), v128.load(s.a + h + v), x);',
        'x = f32x4.add(x, v128.load(s.r + u + v));',
      ],
    ],
    'independent: no gradient through the state': [
      ['madd(x_, v128.load(s.r + u + v), v128.load(s.da + h + v))', 'v128.load(s.da + h + v)'],
    ],
    'independent: gradient of the vector without the state': [
      ['madd(x_, a, v128.load(s.dr + u + v))', 'f32x4.add(x_, v128.load(s.dr + u + v))'],
    ],
  }),

  ...mutantsOf('assembly/training/ctc.ts', {
    'a label may follow its like at once': [
      ['classAt(labels, s, blank) != classAt(labels, s - 2, blank)', 'true'],
    ],
    'the last label may not end the row': [['s < places - 2 ? NEVER', 's < places - 1 ? NEVER']],
    'the first label may not begin it': [['t == 0 && s < 2', 't == 0 && s < 1']],
    'backwards without the jump': [['mayJump(labels, s + 2, blank)', 'false']],
    'gradient not scaled': [['multiply(p, n, c.scale);', '']],
    'every row is the first of its steps': [['+ c.row) * c.outputRow', ') * c.outputRow']],
    'the exponential a term short': [['let k = 14; k > 0', 'let k = 5; k > 0']],
    'the logarithm without its exponent': [['<f64>((bits >> 52) - 1023) * LN2 + 2', '2']],
    'a small loss is lost in a sum of float32': [['logarithm(sumOf(x, n))', 'logarithm(<f64>sum)']],
  }),

  ...mutantsOf('assembly/recurrent/sequence.ts', {
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
      [
        'const states = q.operand == codes.OPERAND_CELL ? q.cAll : q.hAll;',
        'const states = q.hAll;',
      ],
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
      ['columns, q.biasHidden + at, q.products', 'columns, ZEROS, q.products'],
    ],
    'gradient of the input bias dropped': [
      ['columnSums(q.dBiasInput +', 'if (false) columnSums(q.dBiasInput +'],
    ],
    'gradient of the recurrent bias is that of the input bias': [
      ['columnSums(dBiasHidden, recurrent + at', 'columnSums(dBiasHidden, z'],
    ],
    'loss on the outputs ignored': [['q.dy = q.dyAll ?', 'q.dy = false ?']],
    'biases ignored': [
      ['const initial = q.bias && !isNormalised(q) ? q.bias : ZEROS;', 'const initial = ZEROS;'],
    ],
    'second chunk of steps reads the inputs of the first': [['q.x + first * q.xRow', 'q.x']],
    'backward stops before the first step': [
      ['for (let t = end - 1; t >= first; t--) {', 'for (let t = end - 1; t > first; t--) {'],
    ],
  }),

  ...mutantsOf('src/engine/engine.ts', {
    'no engine gets wide tiles': [["checkFlag('wide', options.wide) ? 1 : 0", '0']],
  }),

  ...mutantsOf('assembly/matrix/gemm.ts', {
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
  }),

  ...mutantsOf('assembly/layers/dense.ts', {
    'bias dropped': [['const bias = d.bias ? d.bias : ZEROS;', 'const bias = ZEROS;']],
    'gradient of the bias dropped': [
      ['if (d.bias) columnSums(d.dBias + at, y, d.yRow, d.rows, vectors);', ''],
    ],
  }),

  ...mutantsOf('assembly/layers/embedding.ts', {
    'repeated tokens overwrite one another’s gradient': [
      ['f32x4.add(v128.load(to + k), v128.load(from + k))', 'v128.load(from + k)'],
    ],
  }),

  ...mutantsOf('assembly/training/loss.ts', {
    'cross-entropy without the target in its gradient': [
      ['store<f32>(target, -slope * (others / sums));', ''],
    ],
    'cross-entropy: a small loss is lost in its sum': [['isMost ? log1p(others) : ', '']],
    'cross-entropy: a small gradient is lost beside 1': [
      ['-slope * (others / sums)', 'slope / sums * (sums - others) - slope'],
    ],
    'binary cross-entropy: a small loss is lost in its sum': [
      ['size * other + log1p(e)', 'size * other + Mathf.log(1 + e)'],
    ],
    'binary cross-entropy: a small gradient is lost beside 1': [
      ['scale * (e / (1 + e) - other)', 'scale * (1 - 1 / (1 + e) - other)'],
    ],
    'mean squared error without its 2': [
      ['2 * half * scale * difference', 'half * scale * difference'],
    ],
  }),

  ...mutantsOf('assembly/training/loss.ts', {
    'class weights do not reach the gradient': [
      ['const slope = l.scale * weight;', 'const slope = l.scale;'],
    ],
    'ignored targets count in the mean': [['if (target == l.ignored) continue;', '']],
    'ignored targets may be found': [['chosen != l.ignored && isLikeliest', 'isLikeliest']],
    'of equal logits the last is found': [
      ['k < chosen ? other < value : other <= value', 'other <= value'],
    ],
    'ignored targets are among those to be found': [
      ['if (load<i32>(l.targets + (r << 2)) != l.ignored) x += 1;', 'x += 1;'],
    ],
    'a part of the rows has the logits of the first': [
      [
        'const ignored = l.ignored;\n  let y = l.outputs + first * l.outputRow;',
        'const ignored = l.ignored;\n  let y = l.outputs;',
      ],
    ],
    'a part of the rows has the values of the first': [
      ['l.targets + ((first * n) << 2)', 'l.targets'],
    ],
    'logits of 0 are above it': [['value > 0 : value <= 0', 'value >= 0 : value < 0']],
    'targets of 1/2 are above it': [['target > 0.5 ? value', 'target >= 0.5 ? value']],
    'errors add up with their signs': [['<f64>abs<f32>(value - target)', '<f64>(value - target)']],
    'huber straight from the first': [
      ['(kind == codes.LOSS_HUBER && size <= delta)', '(kind == codes.LOSS_HUBER && size < 0)'],
    ],
    'binary cross-entropy without its logarithm': [['+ log1p(e);', ';']],
  }),

  ...mutantsOf('assembly/layers/merge.ts', {
    'backward half of a merge dropped': [
      ['memory.copy(d.db + at, dOut + width, width);', 'memory.copy(d.db + at, dOut, width);'],
    ],
    'product of directions: factors swapped in the gradient': [
      [
        'v128.store(d.da + at + k, isProduct ? f32x4.mul(g, v128.load(d.b + at + k)) : g);',
        'v128.store(d.da + at + k, isProduct ? f32x4.mul(g, v128.load(d.a + at + k)) : g);',
      ],
    ],
  }),

  ...mutantsOf('assembly/layers/rows.ts', {
    'share of the backward direction overwrites that of the forward one': [
      ['f32x4.add(v128.load(to + k), v128.load(from + k))', 'v128.load(from + k)'],
    ],
  }),

  ...mutantsOf('assembly/layers/pool.ts', {
    'last step where all rows are as long': [
      [
        'mode == codes.POOL_LAST ? max(0, length - 1) : 0',
        'mode == codes.POOL_LAST ? steps - 1 : 0',
      ],
    ],
    'mean over the steps of the longest row': [
      ['mode == codes.POOL_MEAN ? <f32>length : 1', 'mode == codes.POOL_MEAN ? <f32>steps : 1'],
    ],
    'rows without a step keep what was there': [
      ['if (length == 0) memory.fill(y, 0, d.width);', ''],
    ],
    'maximum of the last two steps': [['isMax ? f32x4.max(sum, next)', 'isMax ? next']],
    'backward: the gradient of the last step reaches the first': [
      ['mode == codes.POOL_LAST ? length - 1 : 0', '0'],
    ],
    'backward: mean not divided': [['g = f32x4.div(g, divisor);', '']],
    'backward: every maximum takes the gradient': [
      ['v128.store(dy + k, v128.andnot(g, hit));', ''],
    ],
    'backward: gradients of the steps not taken stay from the pass before': [
      [
        'v128.store(dx + k, g);',
        'if (t == chosen || d.mode >= codes.POOL_MEAN) v128.store(dx + k, g);',
      ],
    ],
  }),

  ...mutantsOf('assembly/matrix/panels.ts', {
    'panels: all gates share them': [
      ['  if (gate >= together) return gate * padded + unit;\n', ''],
    ],
    'gradient of a tied weight counts again at the next update': [['store<f32>(inner, 0);', '']],
    'gradient of a tied weight takes the place of that of the table': [
      [
        'store<f32>(outer, load<f32>(outer) + load<f32>(inner));',
        'store<f32>(outer, load<f32>(inner));',
      ],
    ],
  }),

  ...mutantsOf('src/kernels/conv1d.ts', {
    'kernels: short rows have the zeros of the longest': [
      [
        'extent.lengths.map((n) => convZeros(n, convolution)[0])',
        'extent.lengths.map(() => convZeros(steps, convolution)[0])',
      ],
    ],
    'kernels: what a place has after a short row stays': [['if (order) result.fill(0);', '']],
    'kernels: ragged rows have the states of their places': [
      ['{ ...uniformExtent(history, batch), order }', 'uniformExtent(history, batch)'],
    ],
    'kernels: a state may lie among the outputs': [
      ["if (before) checkApart(['input.state', 'out'], [before, result]);", ''],
    ],
    'kernels: a disposed convolution is used': [
      ['  // A getter of the input may have disposed it.\n  shelf.of(engine, convolution);\n', ''],
    ],
  }),
  ...mutantsOf('src/kernels/matmul.ts', {
    'kernels: panels of a matrix are as far apart as its columns': [
      ['bPanel: PANEL * 4 * k', 'bPanel: PANEL * 4 * n'],
    ],
  }),
  ...mutantsOf('src/kernels/shelf.ts', {
    'kernels: a matrix of another engine is used': [
      ['if (kept.engine === engine) return kept.places;', 'if (kept.engine) return kept.places;'],
    ],
    'kernels: what is disposed keeps its memory': [
      ['kernelsOf(kept.engine).arena.free(kept.block);', ''],
    ],
  }),
  ...mutantsOf('src/graph/workspace.ts', {
    'a tied weight stays as it was before the update': [
      ['    this.#store.prepare();\n    for (const node', '    for (const node'],
    ],
  }),

  ...mutantsOf('src/ops/pool.ts', {
    'the final output of a reverse layer is taken from its last step': [
      ['before.isReverse ? POOL_FIRST : POOL_LAST', 'POOL_LAST'],
    ],
    'both directions are pooled at the last step': [
      ["if (mode !== 'last' || !(top instanceof MergeNode)) {", 'if (mode) {'],
    ],
  }),

  ...mutantsOf('src/ops/pass.ts', {
    'padding is turned around with the row': [
      ['offsets[lengths[place]! - 1 - t]! + place', 'offsets[steps - 1 - t]! + place'],
    ],
    'rows are not sorted by length': [
      ['lengths[b]! - lengths[a]! || a - b', 'lengths[a]! - lengths[b]! || a - b'],
    ],
  }),

  ...mutantsOf('assembly/recurrent/sequence.ts', {
    'states before a step where all rows are as long': [
      ['return t ? q.batch + firstRow(q, t - 1) : 0;', 'return t * q.batch;'],
    ],
    'gradient of R taken in one piece over differing lengths': [
      ['previousRow(q, first) - previousRow(q, first - 1) == rows', 'true'],
    ],
    'the gradient seen at a step is that of the step before': [
      ['const to = q.norms + (t << 4);', 'const to = q.norms + (max(t - 1, 0) << 4);'],
    ],
  }),

  ...mutantsOf('assembly/training/optim.ts', {
    'nesterov looks ahead where it must not, and not where it must': [
      [
        'u.nesterov ? madd(f32x4.splat(u.decayFirst), b, g) : b',
        'u.nesterov ? b : madd(f32x4.splat(u.decayFirst), b, g)',
      ],
    ],
    'eps under the root is added to it': [
      [
        'f32x4.sqrt(f32x4.add(v, f32x4.splat(u.epsilonInside)))',
        'f32x4.add(f32x4.sqrt(v), f32x4.splat(u.epsilonInside))',
      ],
    ],
    'adam: first moment not corrected': [['f32x4.mul(m, f32x4.splat(u.correctionFirst))', 'm']],
    'adam: second moment not corrected': [
      ['f32x4.sqrt(f32x4.mul(v, f32x4.splat(u.correctionSecond)))', 'f32x4.sqrt(v)'],
    ],
    'parameters do not decay by themselves': [['f32x4.mul(f32x4.splat(u.keep), p)', 'p']],
    'moments are never flushed': [
      [
        'flush(madd(f32x4.splat(decay), v128.load(moment), weighted))',
        'madd(f32x4.splat(decay), v128.load(moment), weighted)',
      ],
    ],
  }),

  ...mutantsOf('src/training/optim/optimizer.ts', {
    'keras: the rate is not in the momentum': [
      [
        '{ ...fields, weightFirst: 1, scale: scale * rate, rate: 1 }',
        '{ ...fields, weightFirst: 1 }',
      ],
    ],
    'keras: eps after the correction': [
      ['correctionFirst: both, correctionSecond: 1', 'correctionFirst, correctionSecond'],
    ],
    'keras: squares start at 0': [['isKeras ? 0.1 : 0', '0']],
    'a schedule leaves the rates of groups': [
      ['const rate = step.rate * share;', 'const rate = share === 1 ? step.rate : 0.01 * share;'],
    ],
  }),

  ...mutantsOf('src/training/optim/groups.ts', {
    'neighbours of different rates are one range': [
      ['last.share === share && last.weightDecay', 'last.weightDecay'],
    ],
    'neighbours of different decays are one range': [
      ['last.share === share && last.weightDecay === weightDecay', 'last.share === share'],
    ],
  }),

  ...mutantsOf('assembly/base/math.ts', {
    'tanh with a coefficient missing': [['p = madd(p, x2, v128.load(K.TANH_A3));', '']],
    'sigmoid of -x': [['return share(exponent, ', 'x = f32x4.neg(x);\n  return share(exponent, ']],
    'three sigmoids with the exponent of one': [['fractionOf(y, ey, 1)', 'fractionOf(y, ex, 1)']],
    'log(1 + e): a small e is lost in its sum': [
      ['kept > 0 ? (logarithm(sum) * e) / kept : e', 'Mathf.log(sum)'],
    ],
    'a sigmoid keeps what is below 1e-30': [
      ['return v128.andnot(y, f32x4.lt(y, v128.load(K.TINY_LIMIT)));', 'return y;'],
    ],
    'NaN is lost in the clamp of tanh': [
      [
        'export function tanh(x: v128): v128 {\n  const one',
        'export function tanh(x: v128): v128 {\n  x = f32x4.pmax(f32x4.splat(-99), x);\n  const one',
      ],
    ],
    'derivative of the sigmoid without 1 - y': [['return nmadd(y, y, y);', 'return y;']],
  }),

  ...mutantsOf('src/graph/states.ts', {
    'final states are all read from the first place': [
      ['const target = (place + k) * batch', 'const target = k * batch'],
    ],
    'an initial state is not written': [
      ['        target.set(given.subarray(from, from + width));\n', ''],
    ],
    'states of another order are copied as they are': [
      ["side === 'from' ? other : place", 'place'],
    ],
    'an array to save into is taken unchecked': [
      [
        'array.given = checkFloats(array.title, given, array.length, array.shape);',
        'array.given = given as Float32Array;',
      ],
    ],
    'arrays to save into may overlap': [['checkApart(titles, given);', '']],
    'arrays to save into are known by the first': [
      ['known?.[same] === arrays[same]!.given', 'known !== undefined'],
    ],
    'only the first unit of a layer is saved': [
      ['for (let k = 0; k < stack.length; k++) {', 'for (let k = 0; k < 1; k++) {'],
    ],
    'layers that the stream has not are taken': [
      ['if (isKnown) for (const layer in into) isKnown &&= this.#layers.has(layer);', ''],
    ],
  }),

  ...mutantsOf('src/training/tbptt.ts', {
    'states are not carried from window to window': [
      ['else copyState(this.#kernels, last, this.#states, this.#batch);', ''],
    ],
    'replay starts from the last state': [
      ['workspace.states(total - replay)', 'workspace.states(total)'],
    ],
    'the wrong steps are replayed': [
      ['const from = (total - replay) * this.#width;', 'const from = 0;'],
    ],
  }),

  ...mutantsOf('src/training/segmented.ts', {
    'a segment run again starts from the states of the window': [
      [
        'this.#statesBefore(k), workspace.states(0), this.#batch',
        'this.#statesBefore(Math.min(k, 1)), workspace.states(0), this.#batch',
      ],
    ],
    'the mean is over the last segment': [
      [
        'weight = loss.put(workspace, target, stretch, weight);',
        'weight = loss.put(workspace, target, stretch, 0);',
      ],
    ],
    'losses of a segment take the place of those of the first': [
      ['loss.run(workspace, scale, 0, earlier[k]!)', 'loss.run(workspace, scale, 0, 0)'],
    ],
    'the window after starts from the states before the last segment': [
      ['{ states: this.#statesBefore(last + 1)', '{ states: this.#statesBefore(last)'],
    ],
    'the last segment has the targets of the one before': [
      ['if (k < last) {', 'if (k < last - 1) {'],
    ],
    'the gradient of the states is cut between segments': [
      [
        'workspace.backward(false);',
        'workspace.backward(false);\n      for (const { h } of workspace.stateGradients) this.#kernels.zero(h);',
      ],
    ],
  }),

  ...mutantsOf('src/training/segments.ts', {
    'segments as short as they can be': [
      ['if (bytes <= budget) return', 'if (bytes <= budget && segment === 1) return'],
    ],
  }),

  ...mutantsOf('src/training/optim/updater.ts', {
    'the norm is reported after clipping': [
      [
        'return { gradNorm, finite: true };',
        'return { gradNorm: gradNorm * scale, finite: true };',
      ],
    ],
    'gradients are clipped though they are small': [
      ['Math.min(1, gradClip.norm / (gradNorm + 1e-6))', 'gradClip.norm / (gradNorm + 1e-6)'],
    ],
  }),

  ...mutantsOf('src/training/trainer.ts', {
    'gradients of the window before are kept': [
      ['this.#kernels.zero(this.#updater.gradients);\n    writeState', 'writeState'],
    ],
    'gradients of states of the window before are kept': [
      ['writeState(this.#kernels, this.#workspace.stateGradients, {}, this.options.batch);', ''],
    ],
    'states go from one whole sequence to the next': [
      ['if (!this.model.pooled) carry.keep', 'carry.keep'],
    ],
    'the loss takes the place of a given gradient': [
      ['    if (output) {\n      const given', '    if (output && !target) {\n      const given'],
    ],
    'transposed weights are those of the update before': [
      [
        'const report = this.#updater.update();\n    this.#refresh();',
        'const report = this.#updater.update();',
      ],
    ],
  }),

  ...mutantsOf('src/training/losses/row-loss.ts', {
    'rows without a step have a share in the loss of a pool': [
      ['const valid = workspace.extent.offsets[1]!;', 'const valid = workspace.batch;'],
    ],
    'their gradients are what stood there': [['(batch - valid) * row)', '0)']],
    'scores are of the weights': [
      ['run.loss_count(address, tally.scored)', 'run.loss_weight(address, tally.scored)'],
    ],
    'gradients have the factor of the window before': [
      ["kernels.set(descriptor, 'scale', scale);", ''],
    ],
    'segments weigh as much as all before them': [['weight - sum;', 'weight;']],
    'the loss of replayed steps counts again': [['kernels.zero(outputGradient, 0, before);', '']],
  }),
  ...mutantsOf('src/training/optim/optimizer.ts', {
    'dampening acts on the first step too': [
      ['weightFirst: taken === 0 ? 1 : 1 - dampening', 'weightFirst: 1 - dampening'],
    ],
    'bias correction is one step ahead': [['power(beta2, taken + 1)', 'power(beta2, taken + 2)']],
  }),

  ...mutantsOf('assembly/threads.ts', {
    'threads: dc of another row': [['  mine.dc += rows;\n', '']],
    'threads: the mask of another row': [['  if (o.recurrentMask) o.recurrentMask += rows;\n', '']],
    'threads: scratch of normalised cells is shared': [['  o.dCell += rows;\n', '']],
    'threads: peepholes are summed by all at once': [
      [
        'if (q.peephole || q.dhSeen || (q.dr && !hasMatrix(q))) return true;',
        'if (q.dhSeen || (q.dr && !hasMatrix(q))) return true;',
      ],
    ],
    'threads: recurrent vectors are summed by all at once': [
      [' || (q.dr && !hasMatrix(q))) return true;', ') return true;'],
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
  }),

  ...mutantsOf('src/model/stream.ts', {
    'a stream does not advance': [
      ['copyState(this.#kernels, this.#states[steps]!, this.#states[0]!, this.batch);', ''],
    ],
    'tokens of a stream are used unchecked': [
      ["if (tokens !== undefined) checkTokens('x', given as Int32Array, inputs, tokens);", ''],
    ],
    'states are saved into a stream that a getter has disposed': [
      [
        '    this.#checkAlive();\n    this.#writer.write(this.#kernels);',
        '    this.#writer.write(this.#kernels);',
      ],
    ],
    'tokens after the last step are checked': [
      [
        "checkTokens('x', given as Int32Array, inputs, tokens)",
        "checkTokens('x', given as Int32Array, lengthOf(given), unit.tokens)",
      ],
    ],
  }),

  ...mutantsOf('src/model/model.ts', {
    'a chunk of a long sequence starts over': [
      ['copyState(kernels, workspace.lastStates(), initial, batch);', ''],
    ],
    'outputs of the caller overwrite inputs that are still to be read': [
      [
        'this.#begin(isApart ? checked : { ...checked, x: checked.x.slice() })',
        'this.#begin(checked)',
      ],
    ],
    'rows after the valid steps keep what was in the array': [
      ['if (given.out && lengths) output.fill(0);', ''],
    ],
  }),

  ...mutantsOf('assembly/base/bounds.ts', {
    'kernels trust an index of the caller': [['if (<u32>index >= <u32>count) unreachable();', '']],
  }),

  ...mutantsOf('assembly/training/ctc.ts', {
    'the size of scratch wraps at 32 bits': [
      [
        'return (2 * <f64>steps + 2) * (2 * <f64>count + 1);',
        'const n: i32 = (2 * steps + 2) * (2 * count + 1);\n  return n;',
      ],
    ],
    'labels are used unchecked': [
      ['for (let k = 0; k < count; k++) within(load<i32>(labels + (k << 2)), n);', ''],
    ],
  }),

  ...mutantsOf('src/training/snapshot.ts', {
    'carried tokens are restored unchecked': [
      ['if (tokens) checkTokens(name, bitsOf(data), length, tokens);', ''],
    ],
  }),

  ...mutantsOf('src/engine/arena.ts', {
    'sizes that are no exact numbers are taken': [
      ['if (Number.isSafeInteger(bytes) && bytes >= 0)', 'if (bytes >= 0)'],
    ],
    'negative sizes are taken': [
      ['if (Number.isSafeInteger(bytes) && bytes >= 0)', 'if (Number.isSafeInteger(bytes))'],
    ],
  }),

  ...mutantsOf('src/engine/plan.ts', {
    'the sum of a plan is no exact number': [
      [
        'this.#bytes = checkBytes(offset + Math.ceil((length * 4) / LINE) * LINE, PURPOSE);',
        'this.#bytes = offset + Math.ceil((length * 4) / LINE) * LINE;',
      ],
    ],
  }),

  ...mutantsOf('src/training/losses/ctc.ts', {
    'more labels than there is memory for': [
      ['if (count > this.#maxLabels && count <= this.#steps) {', 'if (false) {'],
    ],
  }),

  ...mutantsOf('src/base/arrays.ts', {
    'arrays that threads share are used where they are': [
      ['return isShared(view) ? (view.slice() as Kinds[K]) : view;', 'return view;'],
    ],
    'outputs may overwrite inputs that are still to be read': [
      ['return lead > 0 || lead + 4 * (toLength - fromLength) > 0;', 'return false;'],
    ],
    'neighbours that are written to overlap': [['starts[i]! >= ends[j]!', 'starts[i]! > ends[j]!']],
    'arrays overlap only where they begin together': [
      [
        'return aStart < bStart + 4 * bLength && bStart < aStart + 4 * aLength;',
        'return aStart === bStart;',
      ],
    ],
    'a view of the front is one of all': [
      [
        'new View(bufferOf(array), offsetOf(array), length)',
        'new View(bufferOf(array), offsetOf(array), lengthOf(array))',
      ],
    ],
    'an array itself says how long it is': [
      [
        "(array: unknown) => number = getterOf(typedArray, 'length');",
        '(array: unknown) => number = (array) => (array as Float32Array).length;',
      ],
    ],
  }),

  ...mutantsOf('src/training/options.ts', {
    'options of a trainer stay those of the caller': [
      ["const options = frozenCopy('options', given);", 'const options = given;'],
    ],
  }),

  ...mutantsOf('src/data/sequences.ts', {
    'a sequence of another kind is taken': [['sequences.forEach(checkSequence);', '']],
  }),

  ...mutantsOf('src/data/normalizer.ts', {
    'mean and deviation may differ in length': [
      ['if (this.mean.length !== this.deviation.length) {', 'if (false) {'],
    ],
  }),

  ...mutantsOf('src/base/exp.ts', {
    'the exponential loses its low part of ln 2': [[' - k * LN2_LOW', '']],
    'the exponential ends its series too early': [['1 / 6227020800', '1 / 622702080']],
    'the exponential forgets halvings': [
      ['halvings > 30; halvings -= 30', 'halvings > 30; halvings -= 31'],
    ],
  }),

  ...mutantsOf('src/model/outputs.ts', {
    'the temperature multiplies': [
      ['(logit - most) / temperature', '(logit - most) * temperature'],
    ],
    'the largest logit is not taken off': [['(logit - most) / temperature', 'logit / temperature']],
    'a class of weight 0 is drawn': [['(sum += weight) > share', '(sum += weight) >= share']],
    'a draw forgets the total': [['uniform * sumOf(weights)', 'uniform']],
    'the largest is the last of equal ones': [
      ['row[from + i]! > row[from + best]!', 'row[from + i]! >= row[from + best]!'],
    ],
    'one class too few is ranked': [
      ['row.slice().sort()[row.length - count]', 'row.slice().sort()[row.length - count + 1]'],
    ],
    'equal values are ranked from the end': [['a.index - b.index', 'b.index - a.index']],
    'classes that are not ranked keep their weight': [
      ['new Float32Array(row.length).fill(-Infinity)', 'row.slice()'],
    ],
    'NaN is taken for a logit': [["if (at >= 0) throw notFinite(name, 'NaN', at);", '']],
  }),

  ...mutantsOf('src/model/summary.ts', {
    'a summary leaves out the scales of 8 bits': [
      ['(int8 ? 1 : 4)', '(shape.length === 1 ? 0 : int8 ? 1 : 4)'],
    ],
    'a summary names options that are the default': [
      [
        "if (key === 'type' || completed({ ...given, [key]: undefined }) === whole) return [];",
        "if (key === 'type') return [];",
      ],
    ],
    'a summary keeps the steps after a pool': [["resample.pools ? '' :", '']],
    'lines of a summary grow too long': [
      ['longer.length < COLUMNS', 'longer.length <= COLUMNS + 9'],
    ],
  }),

  ...mutantsOf('src/cli/sample.ts', {
    'the unknown is written': [['logits[UNKNOWN] = -Infinity;', '']],
  }),

  ...mutantsOf('src/base/check.ts', {
    'anything is taken for a list': [
      ['if (Array.isArray(value) || kindOf(value) !== undefined) return value;', 'return value;'],
    ],
    'anything is taken for a text': [
      ["if (typeof value === 'string') return value;", 'return value as string;'],
    ],
    'a longer array is taken where it must have one length': [
      ['got === length || (orLonger && got > length)', 'got >= length'],
    ],
    'the place for results is taken unchecked': [
      [
        "viewOf('Float32Array', checkFloats('out', out, length, shape, true), length)",
        "viewOf('Float32Array', out as Float32Array, length)",
      ],
    ],
    'a shorter array is taken where it may be longer': [['(orLonger && got > length)', 'orLonger']],
    'options are read again after their check': [['return copy as T;', 'return value;']],
    'the copy of options can be changed': [
      ['return Object.freeze(Object.fromEntries(entries));', 'return Object.fromEntries(entries);'],
    ],
  }),

  ...mutantsOf('src/training/trainer.ts', {
    'a getter disposes what a window is for': [
      ['    this.#checkAlive();\n    return window;', '    return window;'],
    ],
    'a trainer that cannot be made keeps its memory': [
      ['      arena.free(block);\n      throw error;', '      throw error;'],
    ],
  }),

  ...mutantsOf('src/graph/workspace.ts', {
    'a workspace that cannot be made keeps its memory': [
      ['      this.#release();\n      throw error;', '      throw error;'],
    ],
  }),

  ...mutantsOf('src/graph/parameters.ts', {
    'what staging took for a call that fails stays taken': [
      [
        '      return found;\n    } finally {\n      staging.free();\n    }',
        '      staging.free();\n      return found;\n    } finally {\n    }',
      ],
    ],
  }),

  ...mutantsOf('src/ops/recurrent/recurrent.ts', {
    'a sub-layer that reads both ways counts once': [
      [
        'count: layer.bidirectional ? 2 * layer.numLayers : layer.numLayers,',
        'count: layer.numLayers,',
      ],
    ],
    'what reads backwards reads its inputs forwards': [['        turn?.before();\n', '']],
    'a recurrent vector is taken for a matrix': [
      ['depth: hasMatrix ? this.depth : 0,', 'depth: this.depth,'],
    ],
    'a single bias is added twice': [
      [
        "this.#bias === 'single' ? noBias : at.parameter('biasHidden')",
        "at.parameter(this.#bias === 'single' ? 'biasInput' : 'biasHidden')",
      ],
    ],
  }),

  ...mutantsOf('src/graph/graph.ts', {
    'a recurrent layer may follow a pool': [
      ['if (pooled && !own.every', 'if (false && !own.every'],
    ],
    'a convolution may leave no step': [['if (after > 0) return after;', 'return after;']],
  }),

  ...mutantsOf('src/ops/description.ts', {
    'a model may have any number of sub-layers': [['if (count > MAX_LAYERS) {', 'if (false) {']],
    'names may have any length': [['return isKey && name.length <= MAX_NAME;', 'return isKey;']],
  }),

  ...mutantsOf('src/formats/gatefold.ts', {
    'a file takes memory before its tensors are missed': [
      ['  checkTensors(description, kept);\n', ''],
    ],
  }),

  ...mutantsOf('src/base/errors.ts', {
    'an error says what a file says, as it is': [['super(printable(message));', 'super(message);']],
  }),

  ...mutantsOf('src/cli/output.ts', {
    'a sample reaches the terminal as it is': [
      ['text.replace(/[^\\n\\t]+/g, (part) => printable(part))', 'text'],
    ],
  }),

  ...mutantsOf('src/cli/flow.ts', {
    'flow opens what the file names': [
      ['checkOwnText(readRun(path, file), path, `gatefold flow ${wordOf(path)}`);', ''],
      ['readTexts(named);', 'readTexts(named.length > 0 ? named : readRun(path, file).files);'],
    ],
  }),

  ...mutantsOf('src/cli/train.ts', {
    'train opens what the file names': [
      ['checkOwnText(saved.run, saved.path, `gatefold train --resume ${wordOf(saved.path)}`);', ''],
      ['readCorpus(named);', 'readCorpus(named.length > 0 ? named : (saved?.run.files ?? []));'],
    ],
  }),

  ...mutantsOf('src/threads/share.ts', {
    'a shared model may be attached twice': [
      [
        'const was = Atomics.compareExchange(life, 0, OFFERED, ATTACHED);',
        'const was: number = OFFERED;',
      ],
    ],
    'memory of an attached model goes to others while it is used': [
      ['Atomics.load(life, 0) === RELEASED', 'Atomics.load(life, 0) !== OFFERED'],
    ],
    'memory of an attached model does not come back with it': [
      ['super.dispose();\n    release(this.#life);', 'super.dispose();'],
    ],
    'parameters go with the model of their owner': [['kept: parameters,', 'kept: room,']],
  }),

  ...mutantsOf('src/threads/engine.ts', {
    'the kernels of threads do not ask for a shared memory': [
      ['bytes[MEMORY_FLAGS_AT]! |= 2;', ''],
    ],
  }),

  ...mutantsOf('src/engine/kernels.ts', {
    'numbers that are f32 are written as whole ones': [
      ['else if (isFloat) this.arena.floats[at] = value;', ''],
    ],
  }),

  ...mutantsOf('src/threads/team.ts', {
    'any message of a worker says that it is ready': [['if (message !== task.number) return;', '']],
    'a call that failed in a thread is one that did not': [
      [
        'if (this.#seat.lead(CALLS[index]!.call, run)) return;',
        'if (this.#seat.lead(CALLS[index]!.call, run) || index >= 0) return;',
      ],
    ],
  }),

  ...mutantsOf('src/threads/control.ts', {
    'a thread that fails lets the others wait': [
      [
        '    control[FAILURE] = text.length;\n    finish(control);',
        '    control[FAILURE] = text.length;',
      ],
    ],
    'a thread at work is taken for a dead one': [
      ['Atomics.add(this.#control, RAISED + this.share, 1);', ''],
    ],
  }),
];

function mutantsOf(file, edits) {
  return Object.entries(edits).map(([name, list]) => ({ name, file, edits: list }));
}
