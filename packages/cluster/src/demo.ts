/**
 * `npm run cluster:demo`: a Redis, three workers, a run of scoring and one of training, and a kill -9
 * of a worker in each. All of it is in a folder of the system's temporary files.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { saveModel } from 'gatefold/formats/safetensors';
import { Engine, Model, seededRandom } from 'gatefold/node';
import { Producer } from './producer.ts';
import { prepareTraining } from './text.ts';

const SEQUENCES = 8000;
const SHARD = 200;
const WIDTH = 8;
const ROUNDS = 12;
const TRAINING = { hiddenSize: 64, shards: 4, rounds: ROUNDS, updates: 15, batch: 16, steps: 64 };
/** How far a run is when a worker is killed. */
const KILL_AT = 0.3;
/** Columns beside a bar: the task, brackets, and what it says. */
const BESIDE = 56;

const main = fileURLToPath(new URL('main.js', import.meta.url));
const docs = fileURLToPath(new URL('../../../docs', import.meta.url));

interface Member {
  readonly name: string;
  readonly process: ChildProcess;
  readonly done: { score: number; train: number };
  inWork: string;
  fate: string;
}

const folder = mkdtempSync(join(tmpdir(), 'gatefold-demo-'));
const members: Member[] = [];
const started = performance.now();
const isLive = process.stdout.isTTY === true;
let drawn = 0;
let lastLine = -Infinity;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Starts a worker, and follows what its logs say of jobs. */
function hire(name: string, url: string): void {
  const where = ['--read', `data=${join(folder, 'data')}`, '--store', `out=${join(folder, 'out')}`];
  const limits = ['--lock', '2', '--threads', '1', '--concurrency', '1', '--log', 'debug'];
  const child = spawn(process.execPath, [main, 'worker', '--redis', url, ...where, ...limits], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const member: Member = {
    name,
    process: child,
    done: { score: 0, train: 0 },
    inWork: '',
    fate: '',
  };
  members.push(member);
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const { msg, kind } = JSON.parse(line) as { msg: string; kind?: string };
    if (msg === 'ready') member.fate = 'ready';
    if (msg === 'begins') member.inWork = kind!;
    if (msg === 'done') {
      member.inWork = '';
      if (kind === 'score' || kind === 'train') member.done[kind]++;
    }
  });
  child.once('exit', (code, signal) => {
    member.inWork = '';
    member.fate = signal === 'SIGKILL' ? 'killed -9' : `ended ${code}`;
  });
}

function bar(share: number): string {
  const width = Math.min(24, Math.max(4, (process.stdout.columns ?? 80) - BESIDE));
  const filled = Math.round(width * share);
  return '#'.repeat(filled) + '.'.repeat(width - filled);
}

/** Draws the table over itself in a terminal, and now and then elsewhere. */
function draw(task: string, share: number, detail: string, isEnd = false): void {
  const seconds = (performance.now() - started) / 1e3;
  if (!isLive && !isEnd && seconds - lastLine < 5) return;
  lastLine = seconds;
  // What the last logs say is still on its way.
  if (isEnd) for (const member of members) member.inWork = '';
  const rows = members.map(({ name, done, inWork, fate }) =>
    [
      name.padEnd(10),
      String(done.score).padStart(8),
      String(done.train).padStart(9),
      `  ${inWork && `in work: ${inWork}`}`.padEnd(22),
      fate,
    ].join(''),
  );
  const lines = [
    `${task.padEnd(10)}[${bar(share)}] ${detail}`,
    `${'worker'.padEnd(10)}${'scored'.padStart(8)}${'trained'.padStart(9)}`,
    ...rows,
    `${seconds.toFixed(1)} s`,
  ];
  if (isLive && drawn > 0) process.stdout.write(`\x1b[${drawn}A\x1b[J`);
  process.stdout.write(`${lines.join('\n')}\n${isLive ? '' : '\n'}`);
  drawn = isEnd ? 0 : lines.length;
}

/** Kills a worker that has something in work, once, and hires another. */
function killOnce(url: string): (share: number) => void {
  let isOver = false;
  return (share) => {
    const victim = members.find(({ inWork, fate }) => inWork !== '' && fate === 'ready');
    if (isOver || share < KILL_AT || !victim) return;
    isOver = true;
    victim.process.kill('SIGKILL');
    hire(`worker ${members.length + 1}`, url);
  };
}

async function score(producer: Producer, url: string): Promise<void> {
  const engine = await Engine.create();
  const model = Model.create(
    engine,
    {
      layers: [
        { type: 'lstm', inputSize: WIDTH, hiddenSize: 64 },
        { type: 'pool', mode: 'last' },
        { type: 'linear', outFeatures: 5 },
      ],
    },
    { seed: 1 },
  );
  const random = seededRandom(1);
  const lines = Array.from({ length: SEQUENCES }, (_, id) => {
    const x = Array.from({ length: WIDTH * (20 + (id % 200)) }, () =>
      Math.round(2e3 * random() - 1e3),
    );
    return JSON.stringify({ id, x: x.map((value) => value / 1e3) });
  });
  writeFileSync(join(folder, 'data', 'sequences.ndjson'), lines.join('\n'));
  const plan = await producer.score(
    { inputs: ['data:sequences.ndjson'] },
    {
      model: await producer.context.blobs.put(saveModel(model)),
      output: 'out:scores',
      maxRecords: SHARD,
    },
  );
  const kill = killOnce(url);
  const index = await producer.scored(plan, ({ shards, done }) => {
    kill(done / shards);
    draw('scoring', done / shards, `${done} of ${shards} shards of ${SHARD} sequences`);
  });
  const parts = index.shards.map(({ output }) => join(folder, 'out', output.slice('out:'.length)));
  const ids = parts.flatMap((path) =>
    readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: number }).id),
  );
  const isOnce = ids.length === SEQUENCES && ids.every((id, k) => id === k);
  draw(
    'scored',
    1,
    `${ids.length} results, ${isOnce ? 'each once, in order' : 'NOT each once'}`,
    true,
  );
  if (!isOnce) throw new Error('the results are not those of the input');
}

async function train(producer: Producer, url: string): Promise<void> {
  const names = readdirSync(docs).filter((name) => name.endsWith('.md'));
  const text = names
    .sort()
    .map((name) => readFileSync(join(docs, name), 'utf8'))
    .join('\n');
  const { config, first } = await prepareTraining(producer.context, TRAINING, text);
  const kill = killOnce(url);
  let detail = 'the first round';
  let share = 0;
  const from = await producer.train(config, 'out:training', first);
  const timer = setInterval(() => {
    kill(share);
    draw('training', share, detail);
  }, 100);
  await producer.trained(from, config, 'out:training', ({ round, losses }) => {
    const bits = losses.reduce((sum, loss) => sum + loss, 0) / losses.length / Math.LN2;
    share = round / ROUNDS;
    detail = `round ${round} of ${ROUNDS}, ${bits.toFixed(3)} bits a character`;
  });
  clearInterval(timer);
  draw('trained', 1, detail, true);
}

draw('starting', 0, 'a Redis and three workers');
for (const name of ['data', 'out']) mkdirSync(join(folder, name));
const port = await freePort();
const url = `redis://127.0.0.1:${port}`;
const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
const redis = spawn('redis-server', [...flags, '--appendonly', 'yes', '--save', ''], {
  stdio: 'ignore',
});
redis.once('error', () => {
  process.stderr.write('there is no redis-server here: apt-get install redis-server\n');
  process.exit(1);
});
await once(redis, 'spawn');
const producer = new Producer({
  redis: url,
  readOnly: { data: join(folder, 'data') },
  stores: { out: join(folder, 'out') },
  everyMs: 100,
});
// However it ends, nothing of it stays.
process.once('exit', () => {
  for (const member of members) member.process.kill('SIGKILL');
  redis.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
for (const name of ['worker 1', 'worker 2', 'worker 3']) hire(name, url);
await score(producer, url);
await train(producer, url);
await producer.close();
process.exit(0);
