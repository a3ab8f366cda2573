// What a build needs of a build system: tools that are run, files that are replaced whole, steps
// that are skipped.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs a program of node_modules; what it says on failure is what the user sees. */
export async function tool(path, ...args) {
  try {
    await run(process.execPath, [`node_modules/${path}`, ...args]);
  } catch (error) {
    process.stderr.write(`${path} ${args.join(' ')}\n${error.stdout}${error.stderr}`);
    process.exit(1);
  }
}

/** All files below the given files and folders, sorted. */
export async function filesOf(...paths) {
  const found = [];
  for (const path of paths) {
    if (/\.\w+$/.test(path)) {
      found.push(path);
      continue;
    }
    for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
      if (entry.isFile()) found.push(join(entry.parentPath ?? entry.path, entry.name));
    }
  }
  return found.sort();
}

/** Writes a file so that nobody who reads it meanwhile sees half of it. */
export async function replace(path, content) {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}`;
  await writeFile(beside, content);
  await rename(beside, path);
}

/** Runs `work` unless these inputs already gave these outputs. */
export async function step(name, { inputs, outputs, work }) {
  const hash = createHash('sha256');
  for (const file of await filesOf(...inputs))
    hash.update(`${file}\0`).update(await readFile(file));
  const digest = hash.digest('hex');
  const stamp = `build/out/${name}.sha256`;
  const known = existsSync(stamp) ? await readFile(stamp, 'utf8') : '';
  if (known === digest && outputs.every((file) => existsSync(file))) return;

  const start = performance.now();
  await work();
  await replace(stamp, digest);
  process.stderr.write(`built ${name} in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}
