export const mutants = {
  'concat: every source lies at the first feature': [['to: to - width, width', 'to: 0, width']],
  'slice: begins at the first feature': [
    [
      'const piece = { from, to: 0, width: to - from };',
      'const piece = { from: 0, to: 0, width: to - from };',
    ],
  ],
  'slice: features outside keep an old gradient': [['kernels.zero(slot, 0, rows * length);', '']],
  'reverse: begins after the padding': [
    ['const mirror = this.isWhole ? at.mirror() : NONE;', 'const mirror = NONE;'],
  ],
};
