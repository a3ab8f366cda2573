/** That no change of the public declarations goes unseen. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('docs/face.d.ts is what the entries declare; `npm run face` writes it', () => {
  const command = ['build/face.mjs', '--check'];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
