export const mutants = {
  'no engine gets wide tiles': [["checkFlag('wide', options.wide) ? 1 : 0", '0']],
};
