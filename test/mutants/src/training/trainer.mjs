export const mutants = {
  'gradients of the window before are kept': [
    ['this.zeroGradients();\n    writeState', 'writeState'],
  ],
  'gradients of states of the window before are kept': [
    ['writeState(this.#kernels, this.#workspace.stateGradients, {}, this.options.batch);', ''],
  ],
  'states go from one whole sequence to the next': [
    ['else if (!pools && sequences.length === 1) carry.keep', 'else carry.keep'],
  ],
  'the loss takes the place of a given gradient': [
    ['if (!output) continue;', 'if (!output || target) continue;'],
  ],
  'transposed weights are those of the update before': [
    [
      'if (report.finite) this.#workspace.settle();\n    this.#refresh();',
      'if (report.finite) this.#workspace.settle();',
    ],
  ],
  'an update that is not finite moves statistics': [
    ['if (report.finite) this.#workspace.settle();', 'this.#workspace.settle();'],
  ],
  'zeroed gradients leave what else a pass has brought': [['    this.#workspace.discard();\n', '']],
  'a getter disposes what a window is for': [
    ['    this.#checkAlive();\n    return window;', '    return window;'],
  ],
  'a trainer that cannot be made keeps its memory': [
    ['      arena.free(block);\n      throw error;', '      throw error;'],
  ],
};
