export const mutants = {
  'final states are all read from the first place': [
    ['const target = (place + k) * batch', 'const target = k * batch'],
  ],
  'an initial state is not written': [
    ['        target.set(given.subarray(from, from + width));\n', ''],
  ],
  'states of another order are copied as they are': [["side === 'from' ? other : place", 'place']],
  'an array to save into is taken unchecked': [
    [
      'array.given = checkFloats(array.title, given, array.length, array.shape);',
      'array.given = given as Float32Array;',
    ],
  ],
  'only the first unit of a layer is saved': [
    ['for (let k = 0; k < stack.length; k++) {', 'for (let k = 0; k < 1; k++) {'],
  ],
  'layers that the stream has not are taken': [
    ['if (isKnown) for (const layer in into) isKnown &&= this.#layers.has(layer);', ''],
  ],
  'arrays to save into may overlap': [['checkApart(titles, given);', '']],
  'arrays to save into are known by the first': [
    ['known?.[same] === arrays[same]!.given', 'known !== undefined'],
  ],
};
