/** A few of the kills of test/slow/kills.slow.test.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { killSaves, killTrainings } from '../support/kills.ts';
import { createRandom } from '../support/random.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-kills-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a training that is killed goes on to the same bits, and leaves nothing behind', async () => {
  const seen = await killTrainings(folder, { inSaves: 3, anywhere: 0 }, createRandom(1));
  expect(seen.kills).toBe(3);
  expect(seen.finished).toBeGreaterThan(0);
});

it('a file that is being saved at a kill is the old one or the new one', async () => {
  const { kills } = await killSaves(folder, 2, createRandom(2));
  expect(kills).toBe(2);
});
