// A server of live sessions under load. Halfway it is told to end; another process goes on.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine, Model, enableFastLane, saveModelFile } from '../../dist/node.js';
import { readOptions, table } from '../common/terminal.mjs';
import { Client, frameOf } from './load.mjs';

const USAGE = `
Serves live sessions of one model over WebSockets and HTTP, under load. Halfway the process is told to end, and another one takes the sessions up.

  node examples/sessions/main.mjs
  node examples/sessions/main.mjs --clients 1000 --rate 10

  --clients N   sessions, a WebSocket each (400)
  --rate N      steps a second of each, at random times (20)
  --steps N     of each (200)
  --latency N   milliseconds for which a step may wait for others (2)
  --seed N      of the model and the times (1)
  --quick       a run of a few seconds
`;
const FULL = { clients: 400, rate: 20, steps: 200, latency: 2, seed: 1 };
const QUICK = { clients: 40, rate: 50, steps: 30 };
const { clients: count, rate, steps, latency, seed } = readOptions(USAGE, FULL, QUICK);

const folder = mkdtempSync(join(tmpdir(), 'gatefold-sessions-'));
const engine = await Engine.create({ wide: enableFastLane().enabled });
const layers = [
  { type: 'lstm', inputSize: 16, hiddenSize: 64 },
  { type: 'linear', outFeatures: 4 },
];
const model = Model.create(engine, { layers }, { seed });
await saveModelFile(join(folder, 'model.safetensors'), model);

async function start() {
  const args = { model: join(folder, 'model.safetensors'), states: join(folder, 'states') };
  const more = { port: 0, slots: Math.max(count, 1), latency };
  const flags = Object.entries({ ...args, ...more }).map(([name, value]) => `--${name}=${value}`);
  const server = fork(fileURLToPath(new URL('./server.mjs', import.meta.url)), flags, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  servers.push(server);
  const [{ port }] = await Promise.race([
    once(server, 'message'),
    once(server, 'exit').then(() => Promise.reject(new Error('the server has not started'))),
  ]);
  return { server, port };
}

const quantile = (list, share) =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(share * list.length))];

/** The number of a metric, and the mean of a histogram. */
async function metricsOf(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const metric = (name) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`gatefold_${name} `))
        .split(' ')[1],
    );
  return {
    sessions: metric('sessions'),
    steps: metric('steps_total'),
    batch: metric('batch_size_sum') / metric('batch_size_count'),
    p99: metric('step_seconds{quantile="0.99"}') * 1e3,
  };
}

const servers = [];
const clients = Array.from({ length: count }, (_, k) => new Client(k, seed));
const rows = [];

/** All clients run against one process; `atEnd` is called when they have come so far. */
async function phase(name, until) {
  const { server, port } = await start();
  for (const client of clients) await client.connect(port);
  const [before, begin] = [clients.map(({ outputs }) => outputs.length), performance.now()];
  const running = Promise.all(clients.map((client) => client.run(steps, rate)));
  await Promise.race([running, until()]);
  const seconds = (performance.now() - begin) / 1e3;
  const metrics = await metricsOf(port);
  server.kill('SIGTERM');
  await Promise.all([once(server, 'exit'), running]);
  const delays = clients.flatMap(({ delays: own }, k) => own.slice(before[k]));
  const done = [metrics.sessions, metrics.steps, Math.round(metrics.steps / seconds)];
  const times = [metrics.batch, quantile(delays, 0.5), quantile(delays, 0.99), metrics.p99];
  rows.push([name, ...done, ...times.map((time) => time.toFixed(1))]);
}

try {
  const half = () => new Promise((resolve) => setTimeout(resolve, (500 * steps) / rate));
  await phase('first process', half);
  const taken = clients.filter(({ outputs }) => outputs.length < steps).length;
  await phase('second process', () => new Promise(() => {}));
  const heads = ['sessions', 'steps', 'a second', 'a batch', 'p50 ms', 'p99 ms', 'in the server'];
  console.log(table(['', ...heads], rows));
  const isAlone = clients.filter(({ outputs, inputs }, k) => {
    const stream = model.stream();
    const own = new Float32Array(model.outputSize);
    const isSame = outputs.every((output, step) => {
      stream.step(frameOf(k, step, inputs), own);
      return output.every((value, i) => Object.is(value, own[i]));
    });
    stream.dispose();
    return isSame && outputs.length === steps;
  });
  console.log(`\n${taken} sessions were taken up by the second process.`);
  console.log(`${isAlone.length} of ${count} have the bits of a stream of their own.`);
} finally {
  for (const client of clients) client.close();
  for (const server of servers) server.kill('SIGKILL');
  rmSync(folder, { recursive: true });
  engine.dispose();
}
