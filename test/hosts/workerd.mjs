import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);

const WORKER = `
import * as entry from 'gatefold';
import { ThreadedEngine } from 'gatefold/threads';
import { smoke } from './smoke.mjs';
const engines = {
  deterministic: entry.Engine.createSync({ simd: 'deterministic' }),
  auto: entry.Engine.createSync(),
};
export default {
  async fetch() {
    const results = Object.entries(engines).map(([name, engine]) => [name, smoke(entry, engine)]);
    const { threads, threadsReason } = await ThreadedEngine.create({ threads: 2 });
    const { maxBytes } = engines.auto;
    return Response.json({ ...Object.fromEntries(results), maxBytes, threads, threadsReason });
  },
};
`;

const config = (port) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  compatibilityDate = "2026-11-01",
  modules = [
    (name = "worker.js", esModule = embed "bundle.js"),
    (name = "wasm/gatefold.wasm", wasm = embed "node_modules/gatefold/dist/wasm/gatefold.wasm"),
    (name = "wasm/gatefold-relaxed.wasm", wasm = embed "node_modules/gatefold/dist/wasm/gatefold-relaxed.wasm"),
  ],
);
`;

/** `.wasm` files as modules of the deployment, which are beside the bundle. */
const modules = {
  name: 'modules',
  setup: ({ onResolve }) =>
    onResolve({ filter: /\.wasm$/ }, ({ path }) => ({
      path: `./wasm/${basename(path)}`,
      external: true,
    })),
};

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ask(url, host) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetch(url);
    } catch (error) {
      if (attempt === 100 || host.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * What the package computes in workerd, bundled as wrangler does: the workerd condition, .wasm
 * files as modules.
 */
export async function smokeWorkerd({ folder }) {
  await writeFile(join(folder, 'worker.js'), WORKER);
  await build({
    entryPoints: [join(folder, 'worker.js')],
    outfile: join(folder, 'bundle.js'),
    bundle: true,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    plugins: [modules],
    external: ['node:*'],
    logLevel: 'warning',
  });
  const port = await freePort();
  await writeFile(join(folder, 'config.capnp'), config(port));
  const host = spawn(
    require.resolve('@cloudflare/workerd-linux-64/bin/workerd'),
    ['serve', 'config.capnp'],
    {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'pipe'],
    },
  );
  let complaints = '';
  host.stderr.on('data', (text) => (complaints += text));
  try {
    const response = await ask(`http://127.0.0.1:${port}/`, host);
    const text = await response.text();
    if (!response.ok) throw new Error(`${text}\n${complaints}`);
    return JSON.parse(text);
  } finally {
    host.kill();
    await new Promise((resolve) => host.on('exit', resolve));
  }
}
