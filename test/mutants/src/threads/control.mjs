export const mutants = {
  'a thread that fails lets the others wait': [
    [
      '    control[FAILURE] = text.length;\n    finish(control);',
      '    control[FAILURE] = text.length;',
    ],
  ],
  'a thread at work is taken for a dead one': [
    ['Atomics.add(this.#control, RAISED + this.share, 1);', ''],
  ],
};
