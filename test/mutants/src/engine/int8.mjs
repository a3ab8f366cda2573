export const mutants = {
  'int8: the largest weight of 128 wraps': [['top / 127', 'top / 128']],
  'int8: weights without their factors': [['values[k]! / factors[k]!', 'values[k]!']],
  'int8: an outlier is in the whole numbers too': [
    ['k === place ? 0 : values[k]! / factors[k]!', 'values[k]! / factors[k]!'],
  ],
};
