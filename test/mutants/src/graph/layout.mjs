export const mutants = {
  'inputs behind layers without parameters count as others': [
    ['k < 0 || (isFirst[k] && !nodes[k]!.parameters.length)', 'k < 0'],
  ],
  'recurrent weights stay float32 beside float32 inputs': [
    [
      "own.role === 'input' ? quantised.has(node) : forms.weights === 'int8'",
      'quantised.has(node)',
    ],
  ],
};
