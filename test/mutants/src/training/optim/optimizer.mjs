export const mutants = {
  'keras: the rate is not in the momentum': [
    ['{ ...fields, weightFirst: 1, scale: rate, rate: 1 }', '{ ...fields, weightFirst: 1 }'],
  ],
  'keras: eps after the correction': [
    ['correctionFirst: both, correctionSecond: 1', 'correctionFirst, correctionSecond'],
  ],
  'keras: squares start at 0': [['isKeras ? 0.1 : 0', '0']],
  'a schedule leaves the rates of groups': [
    ['const rate = step.rate * share;', 'const rate = share === 1 ? step.rate : 0.01 * share;'],
  ],
  'dampening acts on the first step too': [
    ['weightFirst: taken === 0 ? 1 : 1 - dampening', 'weightFirst: 1 - dampening'],
  ],
  'bias correction is one step ahead': [['power(beta2, taken + 1)', 'power(beta2, taken + 2)']],
};
