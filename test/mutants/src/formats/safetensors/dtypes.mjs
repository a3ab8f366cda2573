export const mutants = {
  'small halves are half as large': [['(113 - shift)', '(112 - shift)']],
  'infinite halves are finite': [['0x7000_0000', '0x3800_0000']],
  'an odd offset is taken for an even one': [
    ['even?.set(piece);', 'even?.set(new Uint8Array(piece.buffer, 0, piece.length));'],
  ],
};
