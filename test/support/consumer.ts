import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** A folder with the built package in its node_modules, as a user has it. */
export interface Consumer {
  readonly folder: string;
  /** Standard output of a program; throws where it fails. */
  run(program: string, type?: 'module' | 'commonjs'): string;
  remove(): void;
}

export function createConsumer(): Consumer {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('no dist/: npm run build first');
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-consumer-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/gatefold'), 'dir');
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return {
    folder,
    run(program, type = 'module') {
      const args = [`--input-type=${type}`, '--no-warnings', '--eval', program];
      return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).trim();
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
