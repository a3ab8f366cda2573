/** That the suites notice faults, tried on every twelfth mutant; `npm run test:mutate` tries all. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('a sample of mutants is noticed', { timeout: 1_200_000 }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['test/mutate.mjs', '', '12'], {
    encoding: 'utf8',
  });
  console.log(stdout);
  expect(status, stderr).toBe(0);
});
