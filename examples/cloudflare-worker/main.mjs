// Runs the Worker in workerd, kills it between two frames, and compares with a stream that ran on.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Engine, Model } from 'gatefold';
import { saveModel } from 'gatefold/formats/safetensors';
import { createRandom } from '../common/random.mjs';
import { readOptions, table } from '../common/terminal.mjs';

const USAGE = `
A Cloudflare Worker with a model, and a Durable Object with one stream a session that survives its process, in workerd.

  node examples/cloudflare-worker/main.mjs

  --workerd FILE  the program (that of test/hosts, after npm ci --prefix test/hosts)
  --frames N      of the session, which is killed in their middle (20)
  --model         writes model.bin beside the Worker, for wrangler, and ends
  --quick         a run of a few seconds: 6 frames
`;
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const WORKERD = at('../../test/hosts/node_modules/@cloudflare/workerd-linux-64/bin/workerd');
const options = readOptions(USAGE, { workerd: WORKERD, frames: 20, model: false }, { frames: 6 });

const engine = await Engine.create({ simd: 'deterministic' });
const layers = [
  { type: 'gru', inputSize: 4, hiddenSize: 32 },
  { type: 'linear', outFeatures: 3 },
];
const model = Model.create(engine, { layers }, { seed: 1 });
if (options.model) {
  await writeFile(at('model.bin'), saveModel(model));
  process.exit(0);
}
if (!existsSync(options.workerd)) {
  throw new Error(
    `no workerd at ${options.workerd}: run npm ci --prefix test/hosts, or npm install workerd`,
  );
}

const config = (port) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = "storage", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  compatibilityDate = "2026-11-01",
  modules = [
    (name = "worker.js", esModule = embed "bundle.js"),
    (name = "model.bin", data = embed "model.bin"),
    (name = "wasm/gatefold.wasm", wasm = embed "wasm/gatefold.wasm"),
    (name = "wasm/gatefold-relaxed.wasm", wasm = embed "wasm/gatefold-relaxed.wasm"),
  ],
  bindings = [(name = "SESSIONS", durableObjectNamespace = "Session")],
  durableObjectNamespaces = [(className = "Session", uniqueKey = "sessions", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
);
`;

/** What wrangler does: one file, with the model and the kernels as modules beside it. */
async function prepare(folder) {
  const modules = {
    name: 'modules',
    setup: ({ onResolve }) =>
      onResolve({ filter: /\.(wasm|bin)$/ }, ({ path }) => ({
        path: path.endsWith('.bin') ? './model.bin' : `./wasm/${basename(path)}`,
        external: true,
      })),
  };
  await build({
    entryPoints: [at('worker.mjs')],
    outfile: join(folder, 'bundle.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    plugins: [modules],
    external: ['node:*'],
    logLevel: 'error',
  });
  await cp(at('../../dist/wasm'), join(folder, 'wasm'), { recursive: true });
  await mkdir(join(folder, 'storage'));
  await writeFile(join(folder, 'model.bin'), saveModel(model));
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A process of workerd, and a way to ask it. */
async function start(folder) {
  const port = await freePort();
  await writeFile(join(folder, 'config.capnp'), config(port));
  const args = ['serve', 'config.capnp', '--experimental'];
  const host = spawn(options.workerd, args, {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = new Promise((resolve) => host.on('exit', resolve));
  const ask = async (path, body) => {
    const url = `http://127.0.0.1:${port}/${path}`;
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  const kill = () => {
    host.kill('SIGKILL');
    return ended;
  };
  for (let attempt = 0; ; attempt++) {
    try {
      await ask('', [[0, 0, 0, 0]]);
      return { ask, kill };
    } catch (error) {
      if (attempt === 100 || host.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const random = createRandom(1);
const frames = Array.from({ length: options.frames }, () =>
  Array.from({ length: model.inputSize }, () => Math.fround(random.normal())),
);
const folder = await mkdtemp(join(tmpdir(), 'gatefold-worker-'));
let host;
try {
  await prepare(folder);
  host = await start(folder);
  const whole = await host.ask('', frames);
  const answers = [];
  const half = frames.length >> 1;
  for (const frame of frames.slice(0, half)) answers.push(await host.ask('sessions/one', frame));
  await host.ask('sessions/two', frames[0]);
  await host.kill();
  host = await start(folder);
  for (const frame of frames.slice(half)) answers.push(await host.ask('sessions/one', frame));

  const { output } = model.forward(Float32Array.from(frames.flat()), { steps: frames.length });
  const session = answers.flatMap((answer) => answer.output);
  const differs = (values) =>
    output.filter((value, k) => !Object.is(value, Math.fround(values[k]))).length;
  const rows = [
    ['a whole sequence', frames.length, differs(whole)],
    [`a session, killed after frame ${half}`, answers.at(-1).frames, differs(session)],
  ];
  console.log(table(['in workerd', 'frames', 'numbers that differ from Node'], rows));
} finally {
  await host?.kill();
  await rm(folder, { recursive: true });
}
