export const mutants = {
  'the exponential loses its low part of ln 2': [[' - k * LN2_LOW', '']],
  'the exponential ends its series too early': [['1 / 6227020800', '1 / 622702080']],
  'the exponential forgets halvings': [
    ['halvings > 30; halvings -= 30', 'halvings > 30; halvings -= 31'],
  ],
};
