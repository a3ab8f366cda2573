export const mutants = {
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
    ['addToRows(q.dh, 0, 1, (q.active * q.stateRow) >> 4, q.options.dUnprojected);', ''],
  ],
  'layer norm of the state per gate': [
    [
      'standardise(hat, inverse, q.products, q.gateRow, q.active, gateCount(q), q.hidden)',
      'standardise(hat, inverse, q.products, q.gateRow, q.active, 1, q.hidden)',
    ],
  ],
};
