import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
// @ts-expect-error a script of the build
import { optionsPage } from '../../build/options.mjs';
import { OPS } from '../../src/ops/index.ts';

test('docs/options.md is what the tables of the layers say', async () => {
  const page = readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8');
  expect(page, 'run npm run face').toBe(await optionsPage(OPS));
});

test('every option says what it means, and its defaults pass its own check', () => {
  for (const { type, options } of OPS.values()) {
    for (const [name, { about }] of Object.entries(options)) {
      expect(about, `${type}.${name}`).toMatch(/^[A-Z`][^]*\.$/);
    }
  }
});
