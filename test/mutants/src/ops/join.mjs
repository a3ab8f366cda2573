export const mutants = {
  'join: the third source is joined to the first alone': [
    ['first = build.add(node);', 'build.add(node);'],
  ],
  'join: one feature is not one for all': [['Number(width < this.outputs)', 'Number(width < 0)']],
};
