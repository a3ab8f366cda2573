export const mutants = {
  'arrays that threads share are used where they are': [
    ['return isShared(view) ? (view.slice() as Kinds[K]) : view;', 'return view;'],
  ],
  'outputs may overwrite inputs that are still to be read': [
    ['return lead > 0 || lead + 4 * (toLength - fromLength) > 0;', 'return false;'],
  ],
  'arrays overlap only where they begin together': [
    [
      'return aStart < bStart + 4 * bLength && bStart < aStart + 4 * aLength;',
      'return aStart === bStart;',
    ],
  ],
  'a view of the front is one of all': [
    [
      'new View(bufferOf(array), offsetOf(array), length)',
      'new View(bufferOf(array), offsetOf(array), lengthOf(array))',
    ],
  ],
  'an array itself says how long it is': [
    [
      "(array: unknown) => number = getterOf(typedArray, 'length');",
      '(array: unknown) => number = (array) => (array as Float32Array).length;',
    ],
  ],
  'neighbours that are written to overlap': [['starts[i]! >= ends[j]!', 'starts[i]! > ends[j]!']],
};
