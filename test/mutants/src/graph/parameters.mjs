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
};
