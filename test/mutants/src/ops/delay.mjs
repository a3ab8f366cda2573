export const mutants = {
  'delay: one step earlier': [['rowOf(extent, 0, t, 0)', 'rowOf(extent, 0, t, 1)']],
  'delay: whole batches are one step earlier': [
    ['shift(isBack, 0, 0, extent.rows)', 'shift(isBack, 0, batch, extent.rows)'],
  ],
  'delay: the gradient of the last state is that of the initial one': [
    ['move(dState, 0, dValues, 0, before);', ''],
  ],
  'delay: the last state is that of the longest row': [
    [
      'move(dValues, rowOf(extent, place, length, k)',
      'move(dValues, rowOf(extent, place, extent.lengths[0]!, k)',
    ],
  ],
  'delay: inputs have the gradient of the same step': [
    ['from: part(dValues, before * row)', 'from: gradient'],
  ],
  'delay: the inputs take the place of the states': [
    ['to: part(values, before * row)', 'to: values'],
  ],
};
