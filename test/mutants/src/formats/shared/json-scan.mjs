export const mutants = {
  'an escaped name is another': [['if (code === BACKSLASH) {', 'if (code < 0) {']],
  'a table that grows forgets names': [['table[place] = k + 1;', 'table[place] = k;']],
  'a quote after two backslashes ends no string': [
    ['(end - before) % 2 === 1', 'end - before === 1'],
  ],
};
