export const mutants = {
  'the sum of a plan is no exact number': [
    [
      'this.#bytes = checkBytes(offset + Math.ceil((length * 4) / LINE) * LINE, PURPOSE);',
      'this.#bytes = offset + Math.ceil((length * 4) / LINE) * LINE;',
    ],
  ],
};
