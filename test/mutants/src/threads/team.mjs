export const mutants = {
  'any message of a worker says that it is ready': [['if (said !== number) return;', '']],
  'a call that failed in a thread is one that did not': [
    [
      'if (this.#seat.lead(CALLS[index]!.call, run)) return;',
      'if (this.#seat.lead(CALLS[index]!.call, run) || index >= 0) return;',
    ],
  ],
};
