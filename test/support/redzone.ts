import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';

/** What a campaign of so many calls prints; fails where it found something. */
export function runCampaign(count: number): string {
  const args = ['test/redzone/campaign.mjs', '--count', String(count)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}
