export const mutants = {
  'states of what looks back as if all rows were there': [
    [
      'return history * batch + offsets[step]! + place;',
      'return (history + step) * batch + place;',
    ],
  ],
  'padding is turned around with the row': [
    ['offsets[lengths[place]! - 1 - t]! + place', 'offsets[steps - 1 - t]! + place'],
  ],
  'rows are not sorted by length': [
    ['lengths[b]! - lengths[a]! || a - b', 'lengths[a]! - lengths[b]! || a - b'],
  ],
};
