import { defineConfig } from 'vitest/config';

/** `--mode slow`: the long campaigns of kills. */
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'slow' ? ['test/**/*.slow.test.ts'] : ['test/**/*.test.ts'],
    exclude: mode === 'slow' ? [] : ['test/**/*.slow.test.ts'],
    testTimeout: mode === 'slow' ? 7_200_000 : 60_000,
    hookTimeout: 60_000,
  },
}));
