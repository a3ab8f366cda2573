export const mutants = {
  'activation of a layer: features of rows that are padded': [
    ['width: this.inputs,', 'width: this.rowLength,'],
  ],
  'activation of a layer: no gradient goes through': [
    ['if (wantsInput || slopes) run', 'if (!wantsInput || slopes) run'],
  ],
  'prelu: no slope learns from the inputs of the model': [
    ['if (wantsInput || slopes) run', 'if (wantsInput) run'],
  ],
  'activation of a layer: rows of the pass before': [
    [
      "arrange: ({ rows }) => kernels.set(layer, 'rows', rows)",
      "arrange: ({ rows }) => kernels.set(layer, 'rows', rows - 1)",
    ],
  ],
};
