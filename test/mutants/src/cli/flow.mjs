export const mutants = {
  'flow opens what the file names': [
    ['checkOwnText(readRun(path, file), path, `gatefold flow ${wordOf(path)}`);', ''],
    ['readPoints(files);', 'readPoints(named.length > 0 ? files : readRun(path, file).files);'],
  ],
};
