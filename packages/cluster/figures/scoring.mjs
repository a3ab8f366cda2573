/**
 * CPU time of scoring sequences through the queue, and of `scoreSequences` alone in one process.
 *
 *     node figures/scoring.mjs [--count N] [--direct N] [--workers 1,2,4] [--threads 1] [--shard N]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { saveModel } from 'gatefold/formats/safetensors';
import { Engine, Model, scoreSequences } from 'gatefold/node';
import { Producer } from '../dist/index.js';
import { lineOf } from '../dist/lines.js';
import * as sources from './sources.mjs';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    direct: { type: 'string', default: '20000' },
    workers: { type: 'string', default: '1' },
    threads: { type: 'string', default: '1' },
    shard: { type: 'string', default: '4096' },
    concurrency: { type: 'string', default: '2' },
    source: { type: 'string', default: 'sequences' },
    only: { type: 'string' },
  },
});
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const engine = await Engine.create();
const model = Model.create(
  engine,
  {
    layers: [
      { type: 'lstm', inputSize: 8, hiddenSize: 64 },
      { type: 'pool', mode: 'last' },
      { type: 'linear', outFeatures: 5 },
    ],
  },
  { seed: 1 },
);
const bytes = saveModel(model);
const { outputs } = model;

/** Seconds of CPU of a process, and its memory in MiB. */
function usage(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) / 100,
    rss: (Number(fields[21]) * 4096) / 2 ** 20,
  };
}

if (values.only === 'direct') {
  const count = Number(values.direct);
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-figures-'));
  const out = createWriteStream(join(folder, 'results.ndjson'));
  function* records() {
    for (let id = 0; id < count; id++) yield id;
  }
  const options = {
    modelBytes: bytes,
    workers: Number(values.threads),
    input: sources[values.source].record,
  };
  for await (const { record, outputs: own } of scoreSequences(records(), options)) {
    out.write(lineOf({ id: String(record), outputs: own }, outputs));
  }
  out.end();
  await once(out, 'close');
  rmSync(folder, { recursive: true });
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ cpu: (user + system) / 1e6, each: (user + system) / count }));
  process.exit(0);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** What a run costs, without the start of the workers, which is given apart. */
async function queued(workers) {
  const count = Number(values.count);
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-figures-'));
  mkdirSync(join(folder, 'out'));
  const port = await freePort();
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const redis = spawn('redis-server', [...flags, '--appendonly', 'yes'], { stdio: 'ignore' });
  const url = `redis://127.0.0.1:${port}`;
  const own = ['--redis', url, '--store', `out=${join(folder, 'out')}`, '--log', 'info'];
  const how = [
    '--threads',
    values.threads,
    '--concurrency',
    values.concurrency,
    '--sources',
    here('sources.mjs'),
  ];
  const crew = Array.from({ length: workers }, () =>
    spawn(process.execPath, [here('../dist/main.js'), 'worker', ...own, ...how], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  await Promise.all(crew.map(({ stdout }) => once(stdout, 'data')));
  for (const { stdout } of crew) stdout.resume();
  const starts = crew.map(({ pid }) => usage(pid).cpu);
  const producer = new Producer({ redis: url, stores: { out: join(folder, 'out') } });
  const hash = await producer.context.blobs.put(bytes);
  const before = process.cpuUsage();
  const start = performance.now();
  const manifest = { source: values.source, count };
  const plan = await producer.score(manifest, {
    model: hash,
    output: 'out:run',
    maxRecords: Number(values.shard),
  });
  const memory = [];
  let shown = 0;
  const index = await producer.scored(plan, ({ done, shards }) => {
    if (done / shards < shown) return;
    shown = done / shards + 0.1;
    memory.push({
      done,
      worker: Math.max(...crew.map(({ pid }) => usage(pid).rss)),
      redis: usage(redis.pid).rss,
      producer: process.memoryUsage().rss / 2 ** 20,
    });
  });
  const wall = (performance.now() - start) / 1e3;
  if (index.records !== count) throw new Error(`${index.records} of ${count}`);
  const { user, system } = process.cpuUsage(before);
  const cpu = {
    workers: crew.reduce((sum, { pid }, k) => sum + usage(pid).cpu - starts[k], 0),
    redis: usage(redis.pid).cpu,
    producer: (user + system) / 1e6,
  };
  for (const { pid } of [...crew, redis]) process.kill(pid, 'SIGKILL');
  await producer.close();
  rmSync(folder, { recursive: true, force: true });
  const total = cpu.workers + cpu.redis + cpu.producer;
  return {
    workers,
    count,
    start: starts[0],
    wall,
    cpu,
    total,
    each: (1e6 * total) / count,
    memory,
  };
}

function direct() {
  const child = spawn(process.execPath, [
    here('scoring.mjs'),
    '--only',
    'direct',
    '--source',
    values.source,
    '--direct',
    values.direct,
    '--threads',
    values.threads,
  ]);
  let text = '';
  child.stdout.on('data', (piece) => (text += piece));
  child.stderr.pipe(process.stderr);
  return once(child, 'close').then(() => JSON.parse(text));
}

for (const workers of values.workers.split(',').map(Number)) {
  if (Number(values.direct) > 0) console.log('direct', JSON.stringify(await direct()));
  const { memory, ...rest } = await queued(workers);
  console.log('queued', JSON.stringify(rest));
  for (const row of memory) {
    console.log(
      Object.entries(row)
        .map(([name, value]) => `${name} ${Math.round(value)}`)
        .join(', '),
    );
  }
}
process.exit(0);
