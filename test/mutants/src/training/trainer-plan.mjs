export const mutants = {
  'a budget cuts windows whose statistics are those of whole ones': [
    ['bytes > maxBytes', 'bytes > 4 * maxBytes'],
  ],
};
