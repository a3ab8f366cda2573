export const mutants = {
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
  'lines of a summary grow too long': [['longer.length < COLUMNS', 'longer.length <= COLUMNS + 9']],
};
