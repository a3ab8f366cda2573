export const mutants = {
  'layerNorm: beta without gamma is none': [
    [
      "beta: bias ? at.parameter('bias') : NONE",
      "beta: bias && scale ? at.parameter('bias') : NONE",
    ],
  ],
  'layerNorm: the epsilon of a cell': [['epsilon: this.#eps,', 'epsilon: 1e-5,']],
  'layerNorm: no gradient of beta': [
    ["dBeta: dBeta ?? (moving && bias ? at.gradient('bias') : NONE)", 'dBeta: NONE'],
  ],
  'batchNorm: the offset forgets the mean': [[' - slope * valueAt(mean, k, 0)', '']],
  'batchNorm: a frozen one trains': [['hasStatistics && !isFrozen', 'hasStatistics']],
  'batchNorm: parameters of a frozen one train': [['isFixed: isFrozen ||', 'isFixed: false ||']],
  'batchNorm: an optimizer moves its statistics': [
    ["isFixed: isFrozen || role.startsWith('running')", 'isFixed: isFrozen'],
  ],
  'layerNorm: no gradient of the inputs': [
    ["kernels.set(norm, 'dx', wantsInput ?", "kernels.set(norm, 'dx', !wantsInput ?"],
  ],
};
