export const mutants = {
  'a shared model may be attached twice': [
    [
      'const was = Atomics.compareExchange(life, 0, OFFERED, ATTACHED);',
      'const was: number = OFFERED;',
    ],
  ],
  'memory of an attached model goes to others while it is used': [
    ['Atomics.load(life, 0) === RELEASED', 'Atomics.load(life, 0) !== OFFERED'],
  ],
  'memory of an attached model does not come back with it': [
    ['super.dispose();\n    release(this.#life);', 'super.dispose();'],
  ],
  'parameters go with the model of their owner': [['kept: parameters,', 'kept: room,']],
};
