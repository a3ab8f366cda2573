/**
 * That the suites notice faults, tried on every twelfth mutant; `npm run test:mutate` tries all.
 */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('a sample of mutants is noticed', { timeout: 1_200_000 }, () => {
  const command = ['test/mutate.mjs', '--part', '1/12'];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  console.log(stdout);
  expect(status, stderr).toBe(0);
});
