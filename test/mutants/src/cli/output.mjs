export const mutants = {
  'a sample reaches the terminal as it is': [
    ['text.replace(/[^\\n\\t]+/g, (part) => printable(part))', 'text'],
  ],
};
