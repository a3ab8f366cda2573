// The package as a user gets it: packed, then installed from the tarball into an empty folder.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * A folder whose node_modules holds the package and nothing else; and the names of the files in the
 * tarball.
 */
export async function installPackage() {
  const folder = await mkdtemp(join(tmpdir(), 'gatefold-hosts-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: root,
    maxBuffer: 2 ** 24,
  });
  const printed = JSON.parse(stdout);
  const [{ filename, files }] = Array.isArray(printed) ? printed : Object.values(printed);
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  const options = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...options, join(folder, filename)], { cwd: folder });
  await writeFile(
    join(folder, 'smoke.mjs'),
    await readFile(new URL('smoke.mjs', import.meta.url), 'utf8'),
  );
  return {
    folder,
    files: files.map(({ path }) => path),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
