export const mutants = {
  'states are not carried from window to window': [
    ['else copyState(this.#kernels, last, this.#states, this.#batch);', ''],
  ],
  'replay starts from the last state': [
    ['workspace.states(total - replay)', 'workspace.states(total)'],
  ],
  'the wrong steps are replayed': [['const from = (total - replay) * width;', 'const from = 0;']],
};
