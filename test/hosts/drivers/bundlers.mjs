// Bundlers: each makes of the same program a folder that a server can serve, or a file for servers.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { launchChromium } from './engines.mjs';
import { ISOLATED, SHOW, serve, visit } from './pages.mjs';

const run = promisify(execFile);
/** Packages of the gate; those of the project itself, whose Vite is another. */
const ours = createRequire(import.meta.url);
const projects = createRequire(new URL('../../../package.json', import.meta.url));

const APP = `import { outcome } from './outcome.mjs';${SHOW}show(outcome());`;
const PAGE =
  '<!doctype html><meta charset="utf-8" /><title>app</title><script type="module" src="./app.js"></script>';

/** Names of the package, as Node finds them: Rollup itself finds no packages. */
const packages = (folder) => ({
  name: 'packages',
  resolveId: (name) =>
    name.startsWith('gatefold') ? createRequire(join(folder, 'app.js')).resolve(name) : null,
});

const buildWith = (vite) => async (load, folder, out) => {
  const { build } = await load(vite);
  await build({ root: folder, logLevel: 'error', base: './', build: { outDir: out } });
};

/** By name: the package, where it is, and what puts what a page needs into the folder `out`. */
const BUNDLERS = {
  esbuild: {
    from: projects,
    build: async (load, folder, out) => {
      const entryPoints = [join(folder, 'app.js')];
      const { build } = await load('esbuild');
      await build({ entryPoints, bundle: true, format: 'esm', outdir: out, logLevel: 'error' });
    },
  },
  rollup: {
    from: projects,
    build: async (load, folder, out) => {
      const { rollup } = await load('rollup');
      const bundle = await rollup({ input: join(folder, 'app.js'), plugins: [packages(folder)] });
      await bundle.write({ dir: out });
    },
  },
  rolldown: {
    build: async (load, folder, out) => {
      const { rolldown } = await load('rolldown');
      const bundle = await rolldown({ input: join(folder, 'app.js'), platform: 'browser' });
      await bundle.write({ dir: out });
    },
  },
  webpack: {
    build: async (load, folder, out) => {
      const { default: webpack } = await load('webpack');
      const compiler = webpack({
        mode: 'production',
        context: folder,
        entry: './app.js',
        performance: false,
        output: { path: out, filename: 'app.js' },
      });
      const stats = await promisify(compiler.run.bind(compiler))();
      if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString());
    },
  },
  'vite 7': { name: 'vite-7', build: buildWith('vite-7') },
  'vite 8': { name: 'vite', from: projects, build: buildWith('vite') },
  bun: {
    name: '@oven/bun-linux-x64',
    build: async (load, folder, out) => {
      const bun = ours.resolve('@oven/bun-linux-x64/bin/bun');
      await run(bun, ['build', join(folder, 'app.js'), '--outdir', out, '--target', 'browser']);
    },
  },
  parcel: {
    build: async (load, folder, out) => {
      const program = ours.resolve('parcel/lib/bin.js');
      const args = ['build', 'index.html', '--dist-dir', out, '--public-url', './'];
      const cache = ['--cache-dir', join(out, '../parcel-cache'), '--no-source-maps'];
      await run(process.execPath, [program, ...args, ...cache], { cwd: folder });
    },
  },
};

/** The version of a package, from its file beside the package that asks. */
async function versionOf(name, require) {
  for (const at of require.resolve.paths(name)) {
    const text = await readFile(join(at, name, 'package.json'), 'utf8').catch(() => undefined);
    if (text) return JSON.parse(text).version;
  }
  throw new Error(`there is no ${name}`);
}

/** What every bundler is given: the program beside the installed package. */
async function prepare({ folder, write }) {
  await write('app.js', APP);
  await write('index.html', PAGE);
  // Parcel reads the exports of packages only where it is told to.
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const parcel = { '@parcel/resolver-default': { packageExports: true } };
  await write('package.json', JSON.stringify({ ...manifest, ...parcel }));
}

/** Bundles the page and serves it with these headers; `look` visits it. */
export async function withBundle(installed, key, headers, look) {
  const { from = ours, build } = BUNDLERS[key];
  await prepare(installed);
  const out = join(installed.folder, `out-${key.replace(' ', '-')}`);
  await mkdir(out, { recursive: true });
  await cp(join(installed.folder, 'index.html'), join(out, 'index.html'));
  await build((name) => import(from.resolve(name)), installed.folder, out);
  const server = await serve(out, headers);
  try {
    return await look(`${server.origin}/index.html`);
  } finally {
    server.close();
  }
}

/** The page of one of the bundlers, in Chromium. */
export function bundled(key) {
  const { name = key, from = ours } = BUNDLERS[key];
  return async (installed) => {
    const look = (address) => visit(launchChromium, address);
    const outcome = await withBundle(installed, key, ISOLATED, look);
    return { version: await versionOf(name, from), command: 'build, in Chromium', ...outcome };
  };
}

/** The server of a version of Vite, while somebody develops. */
export function developed(key) {
  const { name, from = ours } = BUNDLERS[key];
  return async (installed) => {
    await prepare(installed);
    const { createServer } = await import(from.resolve(name));
    const server = await createServer({
      root: installed.folder,
      cacheDir: join(installed.folder, `cache-${key.replace(' ', '-')}`),
      logLevel: 'error',
      server: { host: '127.0.0.1', port: 0, headers: ISOLATED },
    });
    try {
      await server.listen();
      const { port } = server.httpServer.address();
      const outcome = await visit(launchChromium, `http://127.0.0.1:${port}/`);
      return { version: await versionOf(name, from), command: 'dev, in Chromium', ...outcome };
    } finally {
      await server.close();
    }
  };
}

/** The program as one file for a server, far from the package. */
export async function bundleForServer({ folder }) {
  const { build } = projects('esbuild');
  await build({
    entryPoints: [join(folder, 'run.mjs')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: join(folder, 'server/run.mjs'),
    logLevel: 'error',
  });
}
