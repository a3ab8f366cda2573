export const mutants = {
  'layerNorm: beta without gamma is none': [
    [
      "beta: bias ? at.parameter('bias') : NONE",
      "beta: bias && scale ? at.parameter('bias') : NONE",
    ],
  ],
  'layerNorm: the epsilon of a cell': [['          epsilon,\n', '          epsilon: 1e-5,\n']],
  'layerNorm: no gradient of beta': [["dBeta: bias ? at.gradient('bias') : NONE", 'dBeta: NONE']],
  'layerNorm: no gradient of the inputs': [
    ["kernels.set(norm, 'dx', wantsInput ?", "kernels.set(norm, 'dx', !wantsInput ?"],
  ],
};
