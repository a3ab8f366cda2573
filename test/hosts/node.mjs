import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PROGRAM = `
import * as entry from 'gatefold';
import { ThreadedEngine } from 'gatefold/threads';
import { smoke } from './smoke.mjs';
const results = {};
for (const simd of ['deterministic', 'auto']) {
  results[simd] = smoke(entry, await entry.Engine.create({ simd }));
}
const engine = await ThreadedEngine.create({ simd: 'deterministic', threads: 2 });
const { threads } = engine;
const threaded = smoke(entry, engine);
engine.dispose();
console.log(JSON.stringify({ version: process.version, ...results, threads, threaded }));
`;

const FAST = `
import * as entry from 'gatefold/node';
import { smoke } from './smoke.mjs';
const lane = entry.enableFastLane();
const results = {};
for (const simd of ['deterministic', 'auto']) {
  results[simd] = smoke(entry, await entry.Engine.create({ simd, wide: lane.enabled }));
}
console.log(JSON.stringify({ lane, ...results }));
`;

/** What the package computes in the fast lane of the Node at `binary`. */
export async function smokeFastLane({ folder }, binary) {
  await writeFile(join(folder, 'fast.mjs'), FAST);
  const { stdout } = await promisify(execFile)(binary, ['fast.mjs'], { cwd: folder });
  return JSON.parse(stdout);
}

/** What the package computes in the Node at `binary`. */
export async function smokeNode({ folder }, binary) {
  await writeFile(join(folder, 'node.mjs'), PROGRAM);
  const { stdout } = await promisify(execFile)(binary, ['node.mjs'], { cwd: folder });
  return JSON.parse(stdout);
}
