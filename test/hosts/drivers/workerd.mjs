// Cloudflare's workerd, from a bundle made as wrangler makes it: the workerd condition, `.wasm`
// files as modules of the deployment.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { end, freePort, until } from './engines.mjs';

const require = createRequire(import.meta.url);

/** A Worker that answers with the outcome. */
export const WORKER = `
import { outcome } from './outcome.mjs';
export default { fetch: async () => Response.json(await outcome()) };
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
    (name = "worker.js", esModule = embed "worker.bundle.js"),
    (name = "wasm/gatefold.wasm", wasm = embed "node_modules/gatefold/dist/wasm/gatefold.wasm"),
    (name = "wasm/gatefold-relaxed.wasm", wasm = embed "node_modules/gatefold/dist/wasm/gatefold-relaxed.wasm"),
  ],
);
`;

const modules = {
  name: 'modules',
  setup: ({ onResolve }) =>
    onResolve({ filter: /\.wasm$/ }, ({ path }) => ({
      path: `./wasm/${basename(path)}`,
      external: true,
    })),
};

/** The address, once the process `server` answers there. */
export async function listening(address, server) {
  const asked = async () => {
    if (server.exitCode !== null) throw new Error(`the host ended with ${server.exitCode}`);
    return fetch(`${address}/nothing`).then(
      () => address,
      () => undefined,
    );
  };
  return until(asked, address);
}

/** The answer of a server as JSON. */
export async function ask(address) {
  const response = await fetch(address);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text);
}

/** The Worker of a folder as one file beside the modules that it imports. */
export const bundleWorker = (folder) =>
  build({
    entryPoints: [join(folder, 'worker.js')],
    outfile: join(folder, 'worker.bundle.js'),
    bundle: true,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    plugins: [modules],
    external: ['node:*'],
    logLevel: 'warning',
  });

export async function workerd({ folder, write }) {
  await write('worker.js', WORKER);
  await bundleWorker(folder);
  const port = await freePort();
  await write('config.capnp', config(port));
  const host = spawn(
    require.resolve('@cloudflare/workerd-linux-64/bin/workerd'),
    ['serve', 'config.capnp'],
    { cwd: folder, stdio: 'inherit' },
  );
  try {
    const { version } = require('@cloudflare/workerd-linux-64/package.json');
    const outcome = await ask(await listening(`http://127.0.0.1:${port}`, host));
    return { version, command: 'workerd serve config.capnp', ...outcome };
  } finally {
    await end(host);
  }
}
