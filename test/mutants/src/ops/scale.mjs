export const mutants = {
  'scale: a list of any length': [
    ['value.length === inputSize) continue', 'value.length) continue'],
  ],
  'scale: the offset is multiplied as well': [
    ['{ weight: factor, bias: offset }', '{ weight: factor, running_mean: offset }'],
  ],
  'scale: no constant is enough': [
    ['factor === undefined && offset === undefined', 'false as boolean'],
  ],
};
