// From sources to package: asc -> build/out/*.wasm -> src/engine/generated/*.ts, bundles and
// declarations -> dist/. `--wasm` stops before dist/, which the tests of the sources do not need.
import { readFile, rm } from 'node:fs/promises';
import { basename, dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { declarations } from './declarations.mjs';
import { printBaseline, printBytes, printExports, printFlags } from './embed.mjs';
import { ON_HOSTS, hosts } from './hosts.mjs';
import { printEntry, printLayout, structsOf } from './layout.mjs';
import { printLicences } from './licences.mjs';
import { finish } from './maps.mjs';
import { assemble, mixed } from './mix.mjs';
import { filesOf, replace, step, tool } from './steps.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const GENERATED = 'src/engine/generated';
/** The name of a shipped module stays the same for ever: people serve it themselves. */
const SHIPPED = { baseline: 'gatefold.wasm', relaxed: 'gatefold-relaxed.wasm' };

const VARIANTS = Object.keys(SHIPPED);

async function buildWasm() {
  const compile = (target, ...files) =>
    tool('assemblyscript/bin/asc.js', ...files, '--target', target);
  const files = (await filesOf('assembly')).filter((file) => file.endsWith('.ts'));
  const texts = files.map(async (file) => [file, await readFile(file, 'utf8')]);
  const structs = structsOf(Object.fromEntries(await Promise.all(texts)));
  await replace('build/out/layout.ts', printEntry(structs));
  await Promise.all([
    ...VARIANTS.flatMap((name) => [name, `${name}-small`]).map((target) =>
      compile(target, 'assembly/index.ts'),
    ),
    compile('debug', 'assembly/index.ts', 'assembly/base/abort.ts'),
    compile('layout', 'build/out/layout.ts'),
  ]);
  const out = (file) => readFile(`build/out/${file}`);
  for (const name of VARIANTS) {
    const [fast, small] = [await out(`${name}.wat`), await out(`${name}-small.wat`)].map(String);
    const text = mixed({ fast, small });
    await replace(`build/out/${name}.wat`, text);
    await replace(`build/out/${name}.wasm`, assemble(text));
  }
  const [baseline, relaxed] = [await out('baseline.wasm'), await out('relaxed.wasm')];
  await replace(`${GENERATED}/layout.ts`, printLayout(structs, await out('layout.wasm')));
  await replace(`${GENERATED}/wasm-bytes.ts`, printBytes({ baseline, relaxed }));
  await replace(`${GENERATED}/baseline-bytes.ts`, printBaseline({ baseline }));
  await replace(`${GENERATED}/wasm-flags.ts`, printFlags({ baseline, relaxed }));
  await replace(`${GENERATED}/exports.ts`, printExports(String(await out('baseline.d.ts'))));
}

/** The files of dist/ that package.json names, and the sources that they come from. */
const ENTRIES = {
  index: 'src/hosts/default.ts',
  core: 'src/hosts/core.ts',
  worklet: 'src/hosts/worklet.ts',
  node: 'src/node/index.ts',
  'node/score-worker': 'src/node/score/worker.ts',
  data: 'src/data/index.ts',
  sessions: 'src/model/session-pool.ts',
  kernels: 'src/kernels/index.ts',
  threads: 'src/threads/index.ts',
  browser: 'src/browser/index.ts',
  'formats/audio': 'src/formats/audio.ts',
  'formats/keras': 'src/formats/keras.ts',
  'formats/layouts': 'src/formats/layouts.ts',
  'formats/onnx': 'src/formats/onnx.ts',
  'formats/pytorch': 'src/formats/pytorch.ts',
  'formats/npz': 'src/formats/npz.ts',
  'formats/safetensors': 'src/formats/safetensors.ts',
  'formats/tf1': 'src/formats/tf1.ts',
  'formats/tfjs': 'src/formats/tfjs.ts',
  cli: 'src/cli/index.ts',
  'cli/score-worker': 'src/cli/score/worker.ts',
};

/**
 * Workers, each as one file that is a module and a classic script at once: it works where a copy of
 * it lies alone, and where a server's bundle has no package.json that calls it a module. The same
 * travels as text inside of the entries that start them.
 */
const WORKERS = {
  'threads/worker': 'src/threads/worker.ts',
  'browser/worker': 'src/browser/worker.ts',
};

/** Those with declarations: a command has none. */
const { cli: _cli, 'cli/score-worker': _worker, ...typed } = ENTRIES;
/** With them what an import of a `.wasm` file gives. */
const TYPED = {
  ...typed,
  ...WORKERS,
  'wasm/module': 'src/hosts/wasm/module.ts',
  'wasm/url': 'src/hosts/wasm/url.ts',
};

/**
 * CommonJS inside a bundle (commander) cannot `require` a module of Node; it gets what an import
 * gives.
 */
const builtins = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, namespace: 'builtin' } : { path, external: true },
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `export * from '${path}';`,
    }));
  },
};

/** The first line of an exported class, whose name a console and a stack trace show. */
const CLASS = /^export class (\w+)[^{]*\{/gm;

/**
 * Options say in a sentence what they mean, and what other frameworks call them: for
 * docs/options.md (build/options.mjs). Bundles go without.
 */
const TEXT = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`/.source;
const REFERENCE = new RegExp(`\\b(?:about|expects|pytorch|keras|onnx):\\s*(?:${TEXT}),?`, 'g');

/**
 * Gives exported classes a static name, which survives minification here and by an application.
 * `keepNames` of esbuild would wrap every function too.
 */
const sources = {
  name: 'sources',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path, pluginData }) => {
      const named = (await readFile(path, 'utf8')).replace(CLASS, `$& static name = '$1';`);
      const isOp = /[\\/]src[\\/]ops[\\/]/.test(path);
      const contents = isOp ? named.replace(REFERENCE, '') : named;
      return { contents, loader: 'ts', pluginData };
    });
  },
};

async function bundleWorkers(entryPoints, options = {}) {
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    format: 'iife',
    target: 'es2022',
    minify: true,
    outdir: 'dist',
    plugins: [sources],
    write: false,
    ...options,
  });
  return outputFiles;
}

const workerText = {
  name: 'worker-text',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/](threads|browser)[\\/]worker-text\.ts$/ }, async ({ path }) => {
      const name = `${basename(dirname(path))}/worker`;
      const [{ text }] = await bundleWorkers({ [name]: WORKERS[name] });
      return { contents: `export const WORKER_TEXT = ${JSON.stringify(text.trim())};` };
    });
  },
};

/** Entries share chunks, so that a model which one entry made is of the same class to another. */
async function bundle() {
  const { outputFiles, metafile } = await build({
    entryPoints: { ...ENTRIES, ...ON_HOSTS },
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    external: ['*.wasm', '*.wasm?module'],
    plugins: [builtins, await hosts(), workerText, sources],
    sourcemap: 'linked',
    logLevel: 'warning',
    metafile: true,
    write: false,
  });
  const all = [...outputFiles, ...(await bundleWorkers(WORKERS, { sourcemap: 'linked' }))];
  const files = await finish(all.map(({ path, text }) => [relative('.', path), text]));
  return [
    ...files.map(([path, text]) => [relative('dist', path), text]),
    ['third-party-licences.txt', await printLicences(metafile)],
  ];
}

/** One file without a map for pages that have no build step: a module, and a classic script. */
async function bundleOne(format) {
  const { outputFiles } = await build({
    entryPoints: ['src/threads/one-file.ts'],
    bundle: true,
    format,
    globalName: 'gatefold',
    target: 'es2022',
    minify: true,
    plugins: [workerText, sources],
    // A classic script has no address: its workers start from their text.
    logOverride: { 'empty-import-meta': 'silent' },
    logLevel: 'warning',
    write: false,
  });
  return [`gatefold.${format}.js`, outputFiles[0].text];
}

async function buildDist() {
  const files = new Map([
    ...(await bundle()),
    ...(await Promise.all(['esm', 'iife'].map(bundleOne))),
    ...(await declarations(TYPED)),
  ]);
  for (const [variant, file] of Object.entries(SHIPPED)) {
    files.set(`wasm/${file}`, await readFile(`build/out/${variant}.wasm`));
  }
  for (const [file, content] of files) await replace(`dist/${file}`, content);
  for (const file of await filesOf('dist')) {
    if (!files.has(relative('dist', file))) await rm(file);
  }
}

const scripts = (...names) => names.map((name) => `build/${name}.mjs`);
const generated = ['layout', 'wasm-bytes', 'baseline-bytes', 'wasm-flags', 'exports'].map(
  (name) => `${GENERATED}/${name}.ts`,
);
await step('wasm', {
  inputs: [
    ...scripts('build', 'embed', 'layout', 'mix', 'steps'),
    'assembly',
    'asconfig.json',
    'package-lock.json',
  ],
  outputs: [...generated, 'build/out/debug.wasm', 'build/out/baseline.wat'],
  work: buildWasm,
});
if (!process.argv.includes('--wasm')) {
  await step('dist', {
    inputs: [
      ...scripts('build', 'declarations', 'hosts', 'licences', 'maps', 'steps'),
      'src',
      'assembly/shared',
      'tsconfig.json',
      'build/tsconfig.json',
      'package.json',
    ],
    outputs: ['dist/index.js', 'dist/index.d.ts', 'dist/cli.js'],
    work: buildDist,
  });
}
