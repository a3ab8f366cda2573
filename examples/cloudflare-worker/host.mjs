// The Worker as one file with its modules, and the process of workerd that runs it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
export const WORKERD = at('../../test/hosts/node_modules/@cloudflare/workerd-linux-64/bin/workerd');

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
export async function prepare(folder, model, entry = at('worker.mjs')) {
  const modules = {
    name: 'modules',
    setup: ({ onResolve }) =>
      onResolve({ filter: /\.(wasm|bin)$/ }, ({ path }) => ({
        path: path.endsWith('.bin') ? './model.bin' : `./wasm/${basename(path)}`,
        external: true,
      })),
  };
  await build({
    entryPoints: [entry],
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
  await writeFile(join(folder, 'model.bin'), model);
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether a port takes connections. */
const listens = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () =>
      resolve(false),
    );
    socket.on('connect', () => socket.destroy());
  });

/** A process of workerd, and a way to ask it. */
export async function start(workerd, folder) {
  if (!existsSync(workerd)) {
    throw new Error(
      `no workerd at ${workerd}: run npm ci --prefix test/hosts, or npm install workerd`,
    );
  }
  const port = await freePort();
  await writeFile(join(folder, 'config.capnp'), config(port));
  const args = ['serve', 'config.capnp', '--experimental'];
  const host = spawn(workerd, args, {
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
  for (let attempt = 0; !(await listens(port)); attempt++) {
    if (attempt === 1000 || host.exitCode !== null) throw new Error('workerd does not listen');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { ask, kill, pid: host.pid };
}
