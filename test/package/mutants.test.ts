/** That the mutants and their table fit the sources: to try all of them takes much longer. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('every mutant finds its place, and the table names no other', () => {
  const command = ['test/mutate.mjs', '--check'];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
