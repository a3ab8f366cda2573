export const mutants = {
  'conv1d: the zeros of the longest row for all': [
    ['convZeros(length, this.#layer)[0]', 'convZeros(extent.steps, this.#layer)[0]'],
  ],
  'conv1d: a state of one step less': [
    [
      'const count = isCausal ? this.#reach : 0;',
      'const count = isCausal ? Math.min(this.#reach, 1) : 0;',
    ],
  ],
  'conv1d: the inputs are lost where their gradient takes their place': [
    ['const isCopied = history > 0 || isReplaced;', 'const isCopied = history > 0;'],
  ],
  'conv1d: a transpose of depthwise weights': [
    ['isTraining && sizes.wTransposed > 0', 'isTraining'],
  ],
  'conv1d: a single tap sees other steps': [
    ["(padding === 'causal' || kernelSize === 1)", "padding === 'causal'"],
  ],
  'conv1d: streams whatever the stride': [
    [
      "const isCausal = !resample && (padding === 'causal' || kernelSize === 1);",
      "const isCausal = padding === 'causal' || kernelSize === 1;",
    ],
  ],
};
