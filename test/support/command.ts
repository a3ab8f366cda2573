import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built command: `npm test` builds it first. */
export const COMMAND: string = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** A model that trains in a moment. */
export const TINY: readonly string[] =
  '--hidden 12 --embedding 6 --batch 4 --steps 16 --simd deterministic'.split(' ');

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `gatefold` in a folder. */
export function runCommand(folder: string, ...args: string[]): Result {
  return spawnSync(process.execPath, [COMMAND, ...args], { cwd: folder, encoding: 'utf8' });
}
