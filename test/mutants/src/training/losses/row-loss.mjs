export const mutants = {
  'rows without a step have a share in the loss of a pool': [
    ['const valid = workspace.extent.offsets[1]!;', 'const valid = workspace.batch;'],
  ],
  'their gradients are what stood there': [['(workspace.batch - valid) * row)', '0)']],
  'scores are of the weights': [
    ['run.loss_count(address, tally.scored)', 'run.loss_weight(address, tally.scored)'],
  ],
  'gradients have the factor of the window before': [
    ["kernels.set(descriptor, 'scale', scale);", ''],
  ],
  'segments weigh as much as all before them': [['weight - sum;', 'weight;']],
  'the loss of replayed steps counts again': [['kernels.zero(gradient, 0, before);', '']],
};
