export const mutants = {
  'a segment run again starts from the states of the window': [
    [
      'this.#statesBefore(k), workspace.states(0), this.#batch',
      'this.#statesBefore(Math.min(k, 1)), workspace.states(0), this.#batch',
    ],
  ],
  'the mean is over the last segment': [
    [
      'weights = loss.put(workspace, target, stretch, weights);',
      'weights = loss.put(workspace, target, stretch, []);',
    ],
  ],
  'losses of a segment take the place of those of the first': [
    ['loss.run(workspace, weights, earlier[k]!)', 'loss.run(workspace, weights, 0)'],
  ],
  'the window after starts from the states before the last segment': [
    ['{ states: this.#statesBefore(last + 1)', '{ states: this.#statesBefore(last)'],
  ],
  'the last segment has the targets of the one before': [
    ['if (k < last) {', 'if (k < last - 1) {'],
  ],
  'the gradient of the states is cut between segments': [
    [
      'workspace.backward(false);',
      'workspace.backward(false);\n      for (const { h } of workspace.stateGradients) this.#kernels.zero(h);',
    ],
  ],
};
