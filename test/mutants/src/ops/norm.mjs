export const mutants = {
  'layerNorm: beta without gamma is none': [
    [": bias ? at.parameter('bias') : NONE", ": bias && scale ? at.parameter('bias') : NONE"],
  ],
  'layerNorm: the epsilon of a cell': [['epsilon: this.#eps,', 'epsilon: 1e-5,']],
  'layerNorm: no gradient of beta': [["dBeta: bias ? at.gradient('bias') : NONE", 'dBeta: NONE']],
  'batchNorm: the offset forgets the mean': [[' - slope * valueAt(mean, k, 0)', '']],
  'batchNorm: a trainer takes it as it is': [['hasStatistics && !layer.frozen', 'false']],
  'batchNorm: its parameters train': [['isFixed: hasStatistics', 'isFixed: false']],
  'layerNorm: no gradient of the inputs': [
    ["kernels.set(norm, 'dx', wantsInput ?", "kernels.set(norm, 'dx', !wantsInput ?"],
  ],
};
