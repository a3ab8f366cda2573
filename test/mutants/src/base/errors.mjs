export const mutants = {
  'an error says what a file says, as it is': [['super(printable(message));', 'super(message);']],
};
