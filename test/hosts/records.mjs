// What the cases of a run came to: a file each, of which table.mjs makes the table of docs/hosts.md.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../build/out/hosts/', import.meta.url));
const fileOf = ({ host, where }) =>
  `${folder}${`${host} ${where}`.replace(/[^\w.]+/g, '-').toLowerCase()}.json`;

/** All fingerprints of an outcome in eight characters. */
const hashOf = ({ checks }) =>
  createHash('sha256').update(JSON.stringify(checks)).digest('hex').slice(0, 8);

export async function record(row, { version, command, deterministic, auto, threads }) {
  const { checks } = deterministic;
  const kept = {
    version,
    command,
    threads,
    simd: auto.variant,
    hash: hashOf(deterministic),
    checks,
  };
  await mkdir(folder, { recursive: true });
  await writeFile(fileOf(row), JSON.stringify(kept));
}

/** What was kept of a case; rejects where it did not run. */
export const recordOf = async (row) => JSON.parse(await readFile(fileOf(row), 'utf8'));

export const forget = () => rm(folder, { recursive: true, force: true });
