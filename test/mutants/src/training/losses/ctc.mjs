export const mutants = {
  'more labels than there is memory for': [
    ['if (count > this.#maxLabels && count <= this.#steps) {', 'if (false) {'],
  ],
};
