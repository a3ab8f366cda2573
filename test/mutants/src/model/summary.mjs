export const mutants = {
  'a summary leaves out the scales of 8 bits': [
    ['(tensor.int8 ? 1 : 4)', '(tensor.shape.length === 1 ? 0 : tensor.int8 ? 1 : 4)'],
  ],
  'a summary names options that are the default': [
    [
      "if (key === 'type' || completed({ ...given, [key]: undefined }) === whole) return [];",
      "if (key === 'type') return [];",
    ],
  ],
  'a summary keeps the steps after a pool': [["resample?.pools ? ['B'] :", '']],
  'lines of a summary grow too long': [
    ['longer.length + comma <= width', 'longer.length <= width + 9'],
  ],
  'a summary says that a layer reads the one before, whatever it names': [
    ['inputs.length > 1 || inputs[0] !== before ? inputs', 'inputs.length > 1 ? inputs'],
  ],
  'a summary has one name for the steps of all sequences': [['grid ? `T${grid + 1}` :', '']],
  'a summary forgets that other strides make other steps': [
    ['others ? `${made}${others + 1}` : made', 'made'],
  ],
  'a picture leaves out initial states': [
    [
      'for (const source of graph.sources[index]!) {',
      'for (const source of graph.sources[index]!.slice(0, graph.nodes[index]!.aside)) {',
    ],
  ],
};
