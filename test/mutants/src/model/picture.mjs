export const mutants = {
  'skips run through boxes': [
    [
      '(before.width + spot.width) / 2 + BETWEEN',
      '(spot.box ? (before.width + spot.width) / 2 + BETWEEN : 0)',
    ],
  ],
  'names of a picture are markup': [["replaceAll('&', '&amp;')", "replaceAll('&', '&')"]],
  'a picture cuts off its edge': [['Math.ceil(high - low)', 'Math.ceil(high - low) - 40']],
};
