export const mutants = {
  'the temperature multiplies': [['(logit - most) / temperature', '(logit - most) * temperature']],
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
};
