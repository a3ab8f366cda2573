export const mutants = {
  'the key stays over the rounds': [['k0 += <u32>W0;', '']],
  'drops with the probability of keeping': [
    ['>= threshold ? value : 0', '< threshold ? value : 0'],
  ],
  'every pass draws the same mask': [['let c1 = <u32>d.pass;', 'let c1: u32 = 0;']],
  'a fixed mask goes on over the steps': [['d.fixed ? row - first : row', 'row']],
};
