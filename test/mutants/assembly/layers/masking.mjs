export const mutants = {
  'masking: one feature of the value masks a row': [
    [
      'while (k < d.width && load<f32>(x + k) == d.value) k += 4;',
      'if (load<f32>(x) == d.value) k = d.width;',
    ],
  ],
  'masking: masked rows go on as they are': [
    ['if (isMasked(d.masked, row)) memory.fill', 'if (false) memory.fill'],
  ],
  'masking: the first row is masked for all': [
    ['return load<f32>(masked + (row << 2)) != 0;', 'return load<f32>(masked) != 0;'],
  ],
};
