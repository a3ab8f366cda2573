export const mutants = {
  'a convolution may leave no step': [['count < 1', 'count < 0']],
  'a layer that nobody reads is left out': [
    ['find(({ name }) => !used.has(name))', 'find(() => false)'],
  ],
  'an input that nobody reads is left out': [
    ['const lost = inputs.find(', 'const lost = [].find('],
  ],
  'an output that layers read has no copy': [['isRead(top) || tops', 'tops']],
  'a stream runs what it reads of whole sequences step by step': [
    ['if (this.sources[index]!.slice(0, aside).some(isGiven)) {', 'if (false) {'],
  ],
  'steps that the description fixes may be others': [
    ['if (fixed === undefined || fixed === total) continue;', 'continue;'],
  ],
};
