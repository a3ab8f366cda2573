export const mutants = {
  'a variance below 0 is taken': [
    ['checkNumber(name, value, low)', 'checkNumber(name, value, -Infinity)'],
  ],
  'what staging took for a call that fails stays taken': [
    [
      '      return found;\n    } finally {\n      staging.free();\n    }',
      '      staging.free();\n      return found;\n    } finally {\n    }',
    ],
  ],
  'a tied layer counts as float32': [
    ["'int8' in layout || this.derived(node)?.int8 !== undefined", "'int8' in layout"],
  ],
  'pieces of a parameter lie on each other': [['first: at % group,', 'first: 0,']],
};
