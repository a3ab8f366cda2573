export const mutants = {
  'a stream does not advance': [
    ['copyState(this.#kernels, this.#states[steps]!, this.#states[0]!, this.batch);', ''],
  ],
  'tokens of a stream are used unchecked': [
    ["if (tokens !== undefined) checkTokens('x', given as Int32Array, inputs, tokens);", ''],
  ],
  'states are saved into a stream that a getter has disposed': [
    [
      '    this.#checkAlive();\n    this.#writer.write(this.#kernels);',
      '    this.#writer.write(this.#kernels);',
    ],
  ],
  'tokens after the last step are checked': [
    [
      "checkTokens('x', given as Int32Array, inputs, tokens)",
      "checkTokens('x', given as Int32Array, lengthOf(given), unit.tokens)",
    ],
  ],
};
