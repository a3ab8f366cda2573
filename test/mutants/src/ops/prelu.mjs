export const mutants = {
  'prelu: a slope for every feature, shared or not': [
    ['shared ? ACTIVATION_PRELU_ONE : ACTIVATION_PRELU;', 'ACTIVATION_PRELU;'],
  ],
  'prelu: the slope of PyTorch in both presets': [
    ["keras: { kind: 'fill', value: 0 }", "keras: { kind: 'fill', value: 0.25 }"],
  ],
};
