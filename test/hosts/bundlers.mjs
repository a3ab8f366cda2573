// Bundlers of pages: each makes of the same program a folder that a server can serve.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';
import { rolldown } from 'rolldown';
import { rollup } from 'rollup';

const require = createRequire(import.meta.url);
export const bun = require.resolve('@oven/bun-linux-x64/bin/bun');
const run = promisify(execFile);

/** The program: it leaves what came out where the test looks for it. */
export const PROGRAM = `
import * as entry from 'gatefold';
import { ThreadedEngine } from 'gatefold/threads';
import { smoke } from './smoke.mjs';
async function main() {
  const start = performance.now();
  const engine = await ThreadedEngine.create({ simd: 'deterministic', threads: 2 });
  const ms = performance.now() - start;
  const { threads, threadsReason } = engine;
  const results = smoke(entry, engine);
  engine.dispose();
  return { threads, threadsReason, ms, results };
}
globalThis.outcome = main();
if (globalThis.document === undefined)
  globalThis.outcome.then((outcome) => console.log(JSON.stringify(outcome)));
`;

const PAGE =
  '<!doctype html><meta charset="utf-8" /><title>app</title><script type="module" src="./app.js"></script>';

/** What every bundler is given: a copy of the program beside the installed package. */
export async function prepare(folder) {
  await writeFile(join(folder, 'app.js'), PROGRAM);
  await writeFile(join(folder, 'index.html'), PAGE);
  // Parcel reads the exports of packages only where it is told to.
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const parcel = { '@parcel/resolver-default': { packageExports: true } };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ ...manifest, ...parcel }));
}

/** Names of the package, as Node finds them: Rollup itself finds no packages. */
const packages = (folder) => ({
  name: 'packages',
  resolveId: (name) =>
    name.startsWith('gatefold') ? createRequire(join(folder, 'app.js')).resolve(name) : null,
});

/** The bundler of the version of Vite in some folder: ours, or that of the project. */
const vite = (from) => async (folder, out) => {
  const { build } = await import(createRequire(from).resolve('vite'));
  await build({ root: folder, logLevel: 'error', base: './', build: { outDir: out } });
};

/** By name: puts what a page needs into the folder `out`. */
export const BUNDLERS = {
  esbuild: (folder, out) =>
    esbuild.build({
      entryPoints: [join(folder, 'app.js')],
      bundle: true,
      format: 'esm',
      outdir: out,
      logLevel: 'error',
    }),
  Rollup: async (folder, out) => {
    const bundle = await rollup({ input: join(folder, 'app.js'), plugins: [packages(folder)] });
    await bundle.write({ dir: out });
  },
  Rolldown: async (folder, out) => {
    const bundle = await rolldown({ input: join(folder, 'app.js'), platform: 'browser' });
    await bundle.write({ dir: out });
  },
  webpack: (folder, out) =>
    new Promise((resolve, reject) => {
      const config = {
        mode: 'production',
        context: folder,
        entry: './app.js',
        performance: false,
        output: { path: out, filename: 'app.js' },
      };
      require('webpack')(config, (error, stats) => {
        if (error) reject(error);
        else if (stats.hasErrors() || stats.hasWarnings()) reject(new Error(stats.toString()));
        else resolve();
      });
    }),
  'Vite 7': vite(import.meta.url),
  'Vite of the project': vite(new URL('../../package.json', import.meta.url)),
  Bun: (folder, out) =>
    run(bun, ['build', join(folder, 'app.js'), '--outdir', out, '--target', 'browser']),
  Parcel: async (folder, out) => {
    const program = require.resolve('parcel/lib/bin.js');
    const cache = join(out, '..', 'parcel-cache');
    const args = ['build', 'index.html', '--dist-dir', out, '--public-url', './'];
    await run(process.execPath, [program, ...args, '--cache-dir', cache, '--no-source-maps'], {
      cwd: folder,
    });
  },
};

/** A folder with the page and its program. */
export async function bundleFor(name, folder) {
  const out = join(folder, `out-${name.replaceAll(' ', '-')}`);
  await mkdir(out, { recursive: true });
  await cp(join(folder, 'index.html'), join(out, 'index.html'));
  await BUNDLERS[name](folder, out);
  return out;
}

/** The server of Vite while somebody develops. */
export async function developWithVite(folder, headers) {
  const { createServer } = await import(require.resolve('vite'));
  const server = await createServer({
    root: folder,
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, headers },
  });
  await server.listen();
  const { port } = server.httpServer.address();
  return { origin: `http://127.0.0.1:${port}`, close: () => server.close() };
}

/** The program as one file for a server, far from the package. */
export async function bundleForServer(folder) {
  await esbuild.build({
    entryPoints: [join(folder, 'app.js')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: join(folder, 'server/app.mjs'),
    logLevel: 'error',
  });
  return join(folder, 'server/app.mjs');
}
