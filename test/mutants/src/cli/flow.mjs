export const mutants = {
  'flow opens what the file names': [
    ['checkOwnText(readRun(path, file), path, `gatefold flow ${wordOf(path)}`);', ''],
    ['readTexts(named);', 'readTexts(named.length > 0 ? named : readRun(path, file).files);'],
  ],
};
