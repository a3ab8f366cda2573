import { defineConfig, type ViteUserConfigFnObject } from 'vitest/config';

/** `--mode slow`: campaigns too long for every run. `--mode hosts`: the packed package in every host it promises. */
const config: ViteUserConfigFnObject = defineConfig(({ mode }) => {
  const special = mode === 'slow' || mode === 'hosts';
  return {
    test: {
      include: special ? [`test/**/*.${mode}.test.{ts,mjs}`] : ['test/**/*.test.ts'],
      exclude: special ? [] : ['test/**/*.{slow,hosts}.test.ts'],
      testTimeout: special ? 600_000 : 60_000,
    },
  };
});
export default config;
