export const mutants = {
  'a chunk of a long sequence starts over': [
    ['copyState(kernels, workspace.lastStates(), initial, batch);', ''],
  ],
  'outputs of the caller overwrite inputs that are still to be read': [
    ['this.#begin({ ...checked, x: apart })', 'this.#begin(checked)'],
  ],
  'rows after the valid steps keep what was in the array': [
    ['if (given.out) clearAfter(results[k]!, width, written[k]!, total, batch, batchFirst);', ''],
  ],
};
