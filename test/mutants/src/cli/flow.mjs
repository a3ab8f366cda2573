export const mutants = {
  'flow opens what the file names': [
    ['checkOwnText(readRun(path, file), path, command);', ';'],
    ['readPoints(files);', 'readPoints(texts.length > 0 ? files : readRun(...opened[0]!).files);'],
  ],
};
