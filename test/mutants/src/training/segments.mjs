export const mutants = {
  'segments as short as they can be': [
    ['if (bytes <= budget) return', 'if (bytes <= budget && segment === 1) return'],
  ],
};
