export const mutants = {
  'attention: values are the queries where keys are theirs': [
    ['v: Math.min(1, length - 1),', 'v: length > 2 ? 1 : 0,'],
  ],
  'attention: keys are the queries': [['k: length - 1,', 'k: 0,']],
  'attention: scaled by all heads together': [
    ['Math.sqrt(heads / width) : 1', 'Math.sqrt(1 / width) : 1'],
  ],
  'attention: gradients of a linear layer take the place of its outputs at once': [
    ['isTraining && target.slot === at.input(k).slot', 'false'],
  ],
  'attention: gradients of the last pass are kept': [
    ['sums.forEach(({ slot, row: length }, k) => kernels.zero(slot, 0, rows[k]! * length));', ''],
  ],
  'attention: of the inputs alone nothing is learned': [
    ['if (!wantsInput && !parameters.length) return;', 'if (!wantsInput) return;'],
  ],
};
