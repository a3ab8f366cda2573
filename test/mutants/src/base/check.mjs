export const mutants = {
  'anything is taken for a list': [
    ['if (Array.isArray(value) || kindOf(value) !== undefined) return value;', 'return value;'],
  ],
  'anything is taken for a text': [
    ["if (typeof value === 'string') return value;", 'return value as string;'],
  ],
  'a longer array is taken where it must have one length': [
    ['got === length || (orLonger && got > length)', 'got >= length'],
  ],
  'the place for results is taken unchecked': [
    [
      "viewOf('Float32Array', checkFloats('out', out, length, shape, true), length)",
      "viewOf('Float32Array', out as Float32Array, length)",
    ],
  ],
  'a shorter array is taken where it may be longer': [['(orLonger && got > length)', 'orLonger']],
  'options are read again after their check': [['return copy as T;', 'return value;']],
  'the copy of options can be changed': [
    ['return Object.freeze(Object.fromEntries(entries));', 'return Object.fromEntries(entries);'],
  ],
};
