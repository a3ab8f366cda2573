export const mutants = {
  'fixed parameters decay': [['parameter.isFixed ? 0 : own', 'own']],
  'neighbours of different rates are one range': [
    ['last.share === share && last.weightDecay', 'last.weightDecay'],
  ],
  'neighbours of different decays are one range': [
    ['last.share === share && last.weightDecay === weightDecay', 'last.share === share'],
  ],
};
