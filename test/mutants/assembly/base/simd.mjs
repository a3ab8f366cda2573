export const mutants = {
  'values that vanish are kept': [
    ['return v128.andnot(x, f32x4.lt(f32x4.abs(x), v128.load(TINY_LIMIT)));', 'return x;'],
  ],
  'a bound from above alone': [
    ['f32x4.pmax(f32x4.pmin(x, high), f32x4.neg(high))', 'f32x4.pmin(x, high)'],
  ],
  'one lane more than the row has': [
    ['i32x4.lt_s(v128.load(LANE_NUMBERS)', 'i32x4.le_s(v128.load(LANE_NUMBERS)'],
  ],
  'the last two lanes are the first two': [
    ['v128.shuffle<f64>(x, x, 1, 1)', 'v128.shuffle<f64>(x, x, 0, 0)'],
  ],
  'the sum leaves the last lane out': [
    ['(f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))', 'f32x4.extract_lane(x, 2)'],
  ],
};
