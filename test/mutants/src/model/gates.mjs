export const mutants = {
  'gates: as many steps as inputs': [
    ['const total = this.#steps.get(node)!;', 'const { total } = stretch;'],
  ],
};
