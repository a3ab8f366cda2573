export const mutants = {
  'a stream does not advance': [
    ['copyState(this.#kernels, this.#states[steps]!, this.#states[0]!, this.batch);', ''],
  ],
  'tokens of a stream are used unchecked': [
    ["checkTokens('x', input.given as Int32Array, length, input.tokens);", ''],
  ],
  'states are saved into a stream that a getter has disposed': [
    [
      '    this.#checkAlive();\n    this.#writer.write(this.#kernels);',
      '    this.#writer.write(this.#kernels);',
    ],
  ],
  'tokens after the last step are checked': [
    [
      "checkTokens('x', input.given as Int32Array, length, input.tokens)",
      "checkTokens('x', input.given as Int32Array, lengthOf(input.given), input.tokens)",
    ],
  ],
  'a stream copies all of a longer array': [
    [
      'if (length > FEW && length === lengthOf(given)) copyInto(target, given);',
      'if (length > FEW) copyInto(target, given);',
    ],
  ],
};
