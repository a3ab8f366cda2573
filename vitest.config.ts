import { defineConfig, type ViteUserConfigFnObject } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files of `test/` that take longest, longest first. */
const HEAVY = [
  'ops/property',
  'threads/threads',
  'reference/gradcheck',
  'engine/memory',
  'cli/cli',
  'training/training',
  'package/examples',
  'engine/tiles',
];

/**
 * Starts heavy files first: one that started last would run on alone while other cores are idle.
 */
class HeavyFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = HEAVY.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? HEAVY.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/**
 * `--mode slow`: campaigns too long for every run. `--mode hosts`: the packed package in hosts of
 * each kind; `--mode hosts-slow`: in every host that it promises.
 */
const config: ViteUserConfigFnObject = defineConfig(({ mode }) => {
  const kind = mode.replace('-slow', '');
  const special = kind === 'slow' || kind === 'hosts';
  return {
    test: {
      include: special
        ? [...new Set([kind, mode])].map((one) => `test/**/*.${one}.test.{ts,mjs}`)
        : ['test/**/*.test.ts'],
      exclude: ['**/node_modules/**', ...(special ? [] : ['test/**/*.{slow,hosts}.test.ts'])],
      testTimeout: special ? 600_000 : 60_000,
      hookTimeout: special ? 600_000 : 10_000,
      // Every core: the default leaves one free.
      maxWorkers: '100%',
      sequence: { sequencer: HeavyFirst },
      coverage: {
        include: ['src/**'],
        exclude: ['src/engine/generated/**'],
        reporter: 'text',
        reportOnFailure: true,
      },
    },
  };
});
export default config;
