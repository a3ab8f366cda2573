export const mutants = {
  'a sub-layer that reads both ways counts once': [
    ['return bidirectional ? 2 * numLayers : numLayers;', 'return numLayers;'],
  ],
  'what reads backwards reads its inputs forwards': [['        turn?.before();\n', '']],
  'a single bias is added twice': [
    [
      "this.#bias === true ? at.parameter('biasHidden') : NONE",
      "at.parameter(this.#bias === 'single' ? 'biasInput' : 'biasHidden')",
    ],
  ],
  'a recurrent vector is taken for a matrix': [
    ['depth: hasMatrix ? this.depth : 0,', 'depth: this.depth,'],
  ],
};
