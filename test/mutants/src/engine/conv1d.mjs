export const mutants = {
  'conv1d: same puts more zeros before': [
    [
      '[Math.floor(zeros / 2), Math.ceil(zeros / 2)]',
      '[Math.ceil(zeros / 2), Math.floor(zeros / 2)]',
    ],
  ],
  'conv1d: an output of a row without steps': [['length === 0 || room < 0', 'room < 0']],
  'conv1d: same takes the stride for 1': [
    ['(outputs - 1) * stride + reach', '(outputs - 1) + reach'],
  ],
};
