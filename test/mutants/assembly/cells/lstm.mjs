export const mutants = {
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
    ['madd(v128.load(peephole), c, o)', 'madd(v128.load(peephole), v128.load(s.cPrevious + h), o)'],
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
    ['by.outputSlope(s, c, t), v128.load(s.dc + h))', 'by.outputSlope(s, c, t), v128.load(ZEROS))'],
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
};
