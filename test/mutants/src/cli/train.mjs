export const mutants = {
  'train opens what the file names': [
    ['checkOwnText(saved.run, saved.path, `gatefold train --resume ${wordOf(saved.path)}`);', ''],
    ['readCorpus(named);', 'readCorpus(named.length > 0 ? named : (saved?.run.files ?? []));'],
  ],
};
