import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** A folder with the packed package in its node_modules, as a user has it. */
export interface Consumer {
  readonly folder: string;
  /** What the tarball has, by path. */
  readonly files: readonly string[];
  /** Standard output of a program; throws where it fails. */
  run(program: string, type?: 'module' | 'commonjs', flags?: readonly string[]): string;
  remove(): void;
}

export function createConsumer(): Consumer {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('no dist/: npm run build first');
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-consumer-'));
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const printed = JSON.parse(
    execFileSync('npm', pack, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  ) as { filename: string; files: { path: string }[] }[];
  // Newer versions of npm print an object by name.
  const { filename, files } = Object.values(printed)[0]!;
  const home = join(folder, 'node_modules/gatefold');
  mkdirSync(home, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', home, '--strip-components=1']);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return {
    folder,
    files: files.map(({ path }) => path),
    run(program, type = 'module', flags = []) {
      const args = [...flags, `--input-type=${type}`, '--no-warnings', '--eval', program];
      return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).trim();
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
