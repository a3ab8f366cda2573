// What the Worker costs: its size, and the CPU time of its process, read from outside.
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Engine, Model } from 'gatefold';
import { saveModel } from 'gatefold/formats/safetensors';
import { readOptions, table } from '../common/terminal.mjs';
import { WORKERD, prepare, start } from './host.mjs';

const USAGE = `
What the Worker weighs, and what CPU time workerd takes to start it, for its first request and for a warm one, beside a Worker that only says hello. On Linux, where /proc tells it.

  node examples/cloudflare-worker/cost.mjs

  --workerd FILE  the program (that of test/hosts, after npm ci --prefix test/hosts)
  --units N       of the GRU (32)
  --frames N      of a request (20)
  --rounds N      processes that are started, of which the middle one counts (5)
  --requests N    that warm one (500)
  --quick         a run of a few seconds: one process, 50 requests
`;
const FULL = { workerd: WORKERD, units: 32, frames: 20, rounds: 5, requests: 500 };
const options = readOptions(USAGE, FULL, { rounds: 1, requests: 50 });

/** Says hello, with the same exports as the Worker. */
const HELLO = `
export default { fetch: async (request) => Response.json((await request.json()).length) };
export class Session {}
`;

/** Milliseconds that all threads of a process have worked, to the nanosecond. */
async function workedMs(pid) {
  const threads = await readdir(`/proc/${pid}/task`);
  const texts = threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8'));
  const nanoseconds = (await Promise.all(texts)).map((text) => Number(text.split(' ')[0]));
  return nanoseconds.reduce((sum, own) => sum + own, 0) / 1e6;
}

/** What one process takes: until it listens, for the first request, for a warm one. */
async function measure(folder, frames) {
  const host = await start(options.workerd, folder);
  try {
    const listening = await workedMs(host.pid);
    await host.ask('', frames);
    const first = await workedMs(host.pid);
    for (let k = 0; k < options.requests; k++) await host.ask('', frames);
    const before = await workedMs(host.pid);
    for (let k = 0; k < options.requests; k++) await host.ask('', frames);
    const warm = (await workedMs(host.pid)) - before;
    return [listening, first - listening, warm / options.requests];
  } finally {
    await host.kill();
  }
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const layers = [
  { type: 'gru', inputSize: 4, hiddenSize: options.units },
  { type: 'linear', outFeatures: 3 },
];
const bytes = saveModel(Model.create(await Engine.create(), { layers }, { seed: 1 }));
const frames = Array.from({ length: options.frames }, (_, k) => [k, -k, 1, 0]);
const folder = await mkdtemp(join(tmpdir(), 'gatefold-worker-'));
try {
  const hello = join(folder, 'hello.mjs');
  await writeFile(hello, HELLO);
  const WORKERS = { hello, 'GRU, linear': undefined };
  const costs = [];
  for (const [name, entry] of Object.entries(WORKERS)) {
    const own = await mkdtemp(join(folder, 'own-'));
    await prepare(own, bytes, entry);
    const rounds = [];
    for (let k = 0; k < options.rounds; k++) rounds.push(await measure(own, frames));
    const middle = [0, 1, 2].map((k) => median(rounds.map((times) => times[k])));
    costs.push([name, ...middle.map((ms) => ms.toFixed(2))]);
    if (entry) continue;
    const files = ['bundle.js', 'wasm/gatefold.wasm', 'wasm/gatefold-relaxed.wasm', 'model.bin'];
    const sizes = [];
    for (const file of files) {
      const content = await readFile(join(own, file));
      sizes.push([file, content.length, gzipSync(content, { level: 9 }).length]);
    }
    const total = [1, 2].map((k) => sizes.reduce((sum, row) => sum + row[k], 0));
    const inKB = ([file, ...both]) => [file, ...both.map((size) => (size / 1024).toFixed(1))];
    console.log(table(['', 'KB', 'KB gzip'], [...sizes, ['all', ...total]].map(inKB)));
  }
  console.log(`\nmilliseconds of CPU; a request has ${options.frames} frames\n`);
  console.log(table(['', 'until it listens', 'first request', 'warm request'], costs));
} finally {
  await rm(folder, { recursive: true });
}
