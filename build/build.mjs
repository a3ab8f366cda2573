// From sources to package: asc -> build/out/*.wasm -> src/engine/generated/*.ts, bundles and
// declarations -> dist/. `--wasm` stops before dist/, which the tests of the sources do not need.
import { readFile, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { declarations } from './declarations.mjs';
import { printBytes, printExports } from './embed.mjs';
import { printEntry, printLayout, structsOf } from './layout.mjs';
import { printLicences } from './licences.mjs';
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
  await replace(`${GENERATED}/exports.ts`, printExports(String(await out('baseline.d.ts'))));
}

/** The files of dist/ that package.json names, and the sources that they come from. */
const ENTRIES = {
  index: 'src/hosts/default.ts',
  core: 'src/hosts/core.ts',
  edge: 'src/hosts/edge.ts',
  workerd: 'src/hosts/workerd.ts',
  worklet: 'src/hosts/worklet.ts',
  node: 'src/node/index.ts',
  data: 'src/data/index.ts',
  kernels: 'src/kernels/index.ts',
  threads: 'src/threads/index.ts',
  'threads/worker': 'src/threads/worker.ts',
  'formats/audio': 'src/formats/audio.ts',
  'formats/keras': 'src/formats/keras.ts',
  'formats/layouts': 'src/formats/layouts.ts',
  'formats/pytorch': 'src/formats/pytorch.ts',
  'formats/npz': 'src/formats/npz.ts',
  'formats/onnx': 'src/formats/onnx.ts',
  'formats/safetensors': 'src/formats/safetensors.ts',
  'formats/tf1': 'src/formats/tf1.ts',
  'formats/tfjs': 'src/formats/tfjs.ts',
  cli: 'src/cli/index.ts',
};

/** Those with declarations: other hosts' entries of a sub-path have its own, a command none. */
const { edge: _edge, workerd: _workerd, cli: _cli, ...typed } = ENTRIES;
/** With them what an import of a `.wasm` file gives. */
const TYPED = {
  ...typed,
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
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      const named = (await readFile(path, 'utf8')).replace(CLASS, `$& static name = '$1';`);
      const isOp = /[\\/]src[\\/]ops[\\/]/.test(path);
      return { contents: isOp ? named.replace(REFERENCE, '') : named, loader: 'ts' };
    });
  },
};

/** A source map with our sources as they are, but for the kernels: nobody reads those as text. */
async function printMap(path, text) {
  const map = JSON.parse(text);
  for (const [index, source] of map.sources.entries()) {
    const file = join(dirname(path), source);
    if (file.endsWith('/wasm-bytes.ts')) map.sourcesContent[index] = null;
    else if (file.startsWith('src/')) map.sourcesContent[index] = await readFile(file, 'utf8');
  }
  return JSON.stringify(map);
}

/** Entries share chunks, so that a model which one entry made is of the same class to another. */
async function bundle() {
  const { outputFiles, metafile } = await build({
    entryPoints: ENTRIES,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    external: ['*.wasm', '*.wasm?module'],
    plugins: [builtins, sources],
    sourcemap: 'linked',
    logLevel: 'warning',
    metafile: true,
    write: false,
  });
  const files = outputFiles.map(async ({ path, contents, text }) => [
    relative('dist', path),
    path.endsWith('.map') ? await printMap(relative('.', path), text) : contents,
  ]);
  return [
    ...(await Promise.all(files)),
    ['third-party-licences.txt', await printLicences(metafile)],
  ];
}

async function buildDist() {
  const files = new Map([...(await bundle()), ...(await declarations(TYPED))]);
  for (const [variant, file] of Object.entries(SHIPPED)) {
    files.set(`wasm/${file}`, await readFile(`build/out/${variant}.wasm`));
  }
  for (const [file, content] of files) await replace(`dist/${file}`, content);
  for (const file of await filesOf('dist')) {
    if (!files.has(relative('dist', file))) await rm(file);
  }
}

const scripts = (...names) => names.map((name) => `build/${name}.mjs`);
const generated = ['layout', 'wasm-bytes', 'exports'].map((name) => `${GENERATED}/${name}.ts`);
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
      ...scripts('build', 'declarations', 'licences', 'steps'),
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
