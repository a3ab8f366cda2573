/** 300 kills of processes that save and train, each resumed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { killSaves, killTrainings } from '../support/kills.ts';
import { createRandom } from '../support/random.ts';

const seed = Number(process.env.GATEFOLD_SEED ?? Date.now());
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-kills-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('trainings go on to the same bits, and leave nothing behind', async () => {
  const seen = await killTrainings(folder, { inSaves: 100, anywhere: 100 }, createRandom(seed));
  console.log(`trainings, seed ${seed}: ${JSON.stringify(seen)}`);
  expect(seen.kills).toBe(200);
  expect(seen.inSaves).toBeGreaterThan(50);
}, 3_600_000);

it('files are the old ones or the new ones', async () => {
  const seen = await killSaves(folder, 100, createRandom(seed + 1));
  console.log(`saves, seed ${seed}: ${JSON.stringify(seen)}`);
  expect(seen.kills).toBe(100);
  expect(seen.inSaves).toBeGreaterThan(20);
}, 3_600_000);
