export const mutants = {
  'the last states are those after as many steps as inputs': [
    [
      'const extent = this.#inputsOf(index);\n      if (!extent.order)',
      'const { extent } = this;\n      if (!extent.order)',
    ],
  ],
  'a tied weight stays as it was before the update': [
    ['    this.#store.prepare();\n    for (const node', '    for (const node'],
  ],
  'a workspace that cannot be made keeps its memory': [
    ['      this.#release();\n      throw error;', '      throw error;'],
  ],
};
