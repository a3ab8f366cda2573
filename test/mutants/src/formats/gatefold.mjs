export const mutants = {
  'a file takes memory before its tensors are missed': [
    ['  checkTensors(description, kept);\n', ''],
  ],
};
