export const mutants = {
  'mean and deviation may differ in length': [
    ['if (this.mean.length !== this.deviation.length) {', 'if (false) {'],
  ],
};
