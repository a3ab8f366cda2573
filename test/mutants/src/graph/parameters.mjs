export const mutants = {
  'what staging took for a call that fails stays taken': [
    [
      '      return found;\n    } finally {\n      staging.free();\n    }',
      '      staging.free();\n      return found;\n    } finally {\n    }',
    ],
  ],
};
