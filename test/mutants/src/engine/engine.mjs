export const mutants = {
  'no engine gets wide tiles': [["tilesOf(checkFlag('wide', options.wide))", 'tilesOf(false)']],
};
