// What the package weighs, and what its parts add to an application. Run after the build: prints
// the budgets and fails where something is over its own. `--write` writes the table of
// docs/sizes.md.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { format, resolveConfig } from 'prettier';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = `${ROOT}docs/sizes.md`;
const KB = 1024;

/**
 * Budgets in bytes: of a .wasm as it is, of an entry with everything it imports, or of a program
 * and the kernels that it loads, gzipped.
 */
export const BUDGETS = [
  { file: 'wasm/gatefold.wasm', raw: 92 * KB },
  { file: 'wasm/gatefold-relaxed.wasm', raw: 92 * KB },
  { file: 'index.js', gzip: 108 * KB },
  { file: 'baseline.js', gzip: 100 * KB },
  { file: 'core.js', gzip: 70 * KB },
  { file: 'worklet.js', gzip: 75 * KB },
  { file: 'workerd.js', gzip: 70 * KB },
  { file: 'data.js', gzip: 6 * KB },
  { file: 'kernels.js', gzip: 12 * KB },
  { file: 'sessions.js', gzip: 56 * KB },
  { file: 'browser.js', gzip: 102 * KB },
  { file: 'formats/audio.js', gzip: 60 * KB },
  { file: 'formats/npz.js', gzip: 10 * KB },
  { file: 'formats/layouts.js', gzip: 7 * KB },
  { file: 'formats/pytorch.js', gzip: 69 * KB },
  { file: 'formats/safetensors.js', gzip: 55 * KB },
  { file: 'formats/tf1.js', gzip: 64 * KB },
  { file: 'formats/keras.js', gzip: 80 * KB },
  { file: 'formats/tfjs.js', gzip: 80 * KB },
  { file: 'formats/onnx.js', gzip: 118 * KB },
  { program: 'inference', kernels: 'wasm/gatefold-relaxed.wasm', gzip: 79 * KB },
];

/**
 * Small programs, by what they are for: the names that they import from each entry. `on` is the
 * program to which they add.
 */
export const PROGRAMS = {
  inference: { core: ['Engine', 'Model'] },
  'inference, kernels inlined': { '.': ['Engine', 'Model'] },
  'inference, baseline kernels inlined': { baseline: ['Engine', 'Model'] },
  'reading models': { on: 'inference', 'formats/safetensors': ['loadModel'] },
  'reading models of PyTorch': { on: 'inference', 'formats/pytorch': ['loadPytorch'] },
  training: { on: 'inference', core: ['Trainer'] },
  'saving and resuming': {
    on: 'training',
    'formats/safetensors': ['saveModel', 'loadModel', 'saveTrainer', 'loadTrainer'],
  },
  'learning rate schedules': {
    on: 'training',
    core: ['linearDecay', 'stepDecay', 'cosineDecay'],
  },
  'measuring gradients': { on: 'inference', core: ['gradientFlow'] },
  'drawing tokens': { on: 'inference', core: ['softmax', 'topK', 'sampleToken', 'seededRandom'] },
  'a summary': { on: 'inference', core: ['summary'] },
  'reading what CTC found': { on: 'inference', core: ['greedyCtc', 'labelErrorRate'] },
  'windows of a series': { on: 'training', data: ['SeriesWindows', 'splitSeries', 'Normalizer'] },
  'buckets of sequences': { on: 'training', data: ['SequenceBuckets', 'splitSequences'] },
  'batches of text': { on: 'training', core: ['TextBatches', 'Vocabulary', 'splitByPosition'] },
  threads: { on: 'inference, kernels inlined', threads: ['ThreadedEngine'] },
  'sharing models with workers': {
    on: 'inference, kernels inlined',
    threads: ['ThreadedEngine', 'shareModel', 'attachModel', 'releaseModel'],
  },
  'the primitives alone': { core: ['Engine'], kernels: ['Kernels'] },
  'reading audio models': { on: 'inference', 'formats/audio': ['loadAudio'] },
  'writing audio models': { on: 'reading audio models', 'formats/audio': ['writeRtneural'] },
  'reading TensorFlow 1': { on: 'inference', 'formats/tf1': ['loadTf1'] },
  'reading ONNX': { on: 'inference', 'formats/onnx': ['loadOnnx'] },
  'reading Keras': { on: 'inference', 'formats/keras': ['loadKeras'] },
  'reading TensorFlow.js': { on: 'inference', 'formats/tfjs': ['loadTfjs'] },
  'writing TensorFlow.js': { on: 'reading TensorFlow.js', 'formats/tfjs': ['writeTfjs'] },
  'arrays of NumPy alone': { 'formats/npz': ['readNpz', 'writeNpz'] },
  'layouts alone': { 'formats/layouts': ['layouts'] },
  'safetensors alone': { 'formats/safetensors': ['readSafetensors', 'writeSafetensors'] },
  'files in IndexedDB alone': { browser: ['ByteStore'] },
  'downloads with a hash alone': { browser: ['fetchBytes'] },
  'a model in a Worker': { browser: ['createWorkerModel'] },
  'a model in the audio thread': { browser: ['createWorkletNode'] },
};

const INLINED = ['Engine', 'Model'];
/**
 * Whole applications: what they import, by whose conditions, and the files that come beside their
 * bundles. With no imports, one file of dist/ is the bundle.
 */
const APPLICATIONS = {
  'a page that runs a model': { '.': INLINED, 'formats/safetensors': ['loadModel'] },
  'a page that runs an ONNX file': { '.': INLINED, 'formats/onnx': ['loadOnnx'] },
  'a page that trains, keeps and loads a classifier': {
    '.': [...INLINED, 'Trainer', 'softmax'],
    data: ['SequenceBuckets'],
    'formats/safetensors': ['saveModel', 'loadModel'],
    browser: ['ByteStore'],
  },
  'a page with a downloaded model in a Worker': { browser: ['createWorkerModel', 'fetchBytes'] },
  'a page with a downloaded model in its sound': { browser: ['createWorkletNode', 'fetchBytes'] },
  'a Cloudflare Worker that runs a model': {
    '.': INLINED,
    'formats/safetensors': ['loadModel'],
    conditions: ['workerd', 'worker'],
    beside: ['wasm/gatefold.wasm', 'wasm/gatefold-relaxed.wasm'],
  },
  'an edge route that runs a model': {
    '.': INLINED,
    'formats/safetensors': ['loadModel'],
    conditions: ['edge-light'],
    beside: ['wasm/gatefold.wasm', 'wasm/gatefold-relaxed.wasm'],
  },
  'a page without a build step': { beside: ['gatefold.iife.js'] },
};

/** What no program can leave out that has the rest: parts by their sources, the first match. */
const PARTS = {
  'weights of 8 bits': /^src\/engine\/int8/,
  'memory, calls of the kernels': /^(src\/(base|engine)|assembly\/shared)\//,
  'recurrent cells': /^src\/ops\/recurrent\//,
  'kinds of layers': /^src\/ops\//,
  'passes over sequences': /^src\/graph\//,
  'models, streams, gates': /^src\/model\//,
  losses: /^src\/training\/losses\//,
  'optimizers, schedules': /^src\/training\/optim\//,
  'runs of `fit`, metrics': /^src\/training\/(fit|metrics)/,
  trainers: /^src\/training\//,
  'batches of text': /^src\/data\//,
};

async function bundle(options) {
  return build({
    bundle: true,
    format: 'esm',
    target: 'es2022',
    external: ['*.wasm', '*.wasm?module', 'node:*'],
    absWorkingDir: ROOT,
    write: false,
    minify: true,
    metafile: true,
    logLevel: 'error',
    ...options,
  });
}

/** What a program imports, of all programs that it adds to. */
function importsOf({ on, ...entries }) {
  const own = Object.entries(entries).map(
    ([entry, names]) =>
      `export { ${names.join(', ')} } from 'gatefold${entry.replace(/^\.?/, '/').replace(/^\/$/, '')}';`,
  );
  return [...(on ? importsOf(PROGRAMS[on]) : []), ...own];
}

/** A program with what it takes of the package, as one file. */
export async function bundleProgram(name) {
  const contents = importsOf(PROGRAMS[name]).join('\n');
  const { outputFiles } = await bundle({ stdin: { contents, resolveDir: ROOT } });
  return outputFiles[0].text;
}

const packed = (content) => gzipSync(content, { level: 9 }).length;

/** Bytes of all files of an application, as they are and after gzip. */
async function weighApplication({ conditions, beside = [], ...entries }) {
  const files = beside.map((file) => readFile(`${ROOT}dist/${file}`));
  const contents = importsOf(entries).join('\n');
  const stdin = { contents, resolveDir: ROOT };
  if (contents)
    files.push(bundle({ stdin, conditions }).then(({ outputFiles }) => outputFiles[0].contents));
  const all = await Promise.all(files);
  return [(content) => content.length, packed].map((weight) =>
    all.reduce((sum, content) => sum + weight(content), 0),
  );
}

/** Every budget with what it is for and what that weighs. */
export async function weigh() {
  return Promise.all(
    BUDGETS.map(async ({ file, program, kernels, raw, gzip }) => {
      if (raw)
        return { name: file, bytes: (await readFile(`${ROOT}dist/${file}`)).length, budget: raw };
      const text = program
        ? await bundleProgram(program)
        : (await bundle({ entryPoints: [`dist/${file}`] })).outputFiles[0].contents;
      const more = kernels ? packed(await readFile(`${ROOT}dist/${kernels}`)) : 0;
      const name = program ? `${program}, with its kernels` : file;
      return { name, bytes: packed(text) + more, budget: gzip };
    }),
  );
}

/** Bytes of everything that core exports, minified, by part. */
async function weighParts() {
  const { metafile } = await bundle({ entryPoints: ['src/hosts/core.ts'] });
  const sums = new Map(Object.keys(PARTS).map((part) => [part, 0]));
  for (const [file, { bytesInOutput }] of Object.entries(
    Object.values(metafile.outputs)[0].inputs,
  )) {
    if (bytesInOutput === 0) continue;
    const part = Object.keys(PARTS).find((name) => PARTS[name].test(file));
    if (!part) throw new Error(`build/size.mjs names no part that has ${file}`);
    sums.set(part, sums.get(part) + bytesInOutput);
  }
  return [...sums];
}

const inKB = (bytes) => `${(bytes / KB).toFixed(1)} KB`;
const rowOf = (...cells) => `| ${cells.join(' | ')} |`;
const FIGURES = ['raw', 'minified', 'gzip', 'adds'];
const tableOf = (head, rows) =>
  [
    rowOf(...head),
    rowOf(...head.map((name) => (FIGURES.includes(name) ? '--:' : '---'))),
    ...rows,
  ].join('\n');

/** The tables of docs/sizes.md, as they would be written now. */
export async function printTables() {
  const sizes = new Map();
  for (const name of Object.keys(PROGRAMS)) sizes.set(name, packed(await bundleProgram(name)));
  const programs = Object.entries(PROGRAMS).map(([name, { on = '' }]) =>
    rowOf(name, on, inKB(sizes.get(name)), on ? inKB(sizes.get(name) - sizes.get(on)) : ''),
  );
  const parts = (await weighParts()).map(([part, bytes]) => rowOf(part, inKB(bytes)));
  const kernels = await Promise.all(
    ['gatefold.wasm', 'gatefold-relaxed.wasm'].map(async (file) => {
      const content = await readFile(`${ROOT}dist/wasm/${file}`);
      return rowOf(`\`${file}\``, inKB(content.length), inKB(packed(content)));
    }),
  );
  const applications = await Promise.all(
    Object.entries(APPLICATIONS).map(async ([name, application]) =>
      rowOf(name, ...(await weighApplication(application)).map(inKB)),
    ),
  );
  const tables = {
    applications: tableOf(['application', 'minified', 'gzip'], applications),
    programs: tableOf(['program', 'stands on', 'gzip', 'adds'], programs),
    parts: tableOf(['part', 'minified'], parts),
    kernels: tableOf(['file', 'raw', 'gzip'], kernels),
  };
  const options = { ...(await resolveConfig(PAGE)), parser: 'markdown' };
  for (const [name, table] of Object.entries(tables))
    tables[name] = (await format(table, options)).trim();
  return tables;
}

/** Where the page has a table. */
export const placeOf = (name) => new RegExp(`(<!-- ${name} -->\\n\\n)[^]*?(?=\\n\\n<!-- end -->)`);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) {
    let page = await readFile(PAGE, 'utf8');
    for (const [name, table] of Object.entries(await printTables()))
      page = page.replace(placeOf(name), (_, before) => before + table);
    await writeFile(PAGE, page);
  }
  for (const { name, bytes, budget } of await weigh()) {
    const isOver = bytes > budget;
    if (isOver) process.exitCode = 1;
    const figures = `${inKB(bytes).padStart(9)} of ${inKB(budget).padStart(9)}`;
    console.log(`${name.padEnd(32)}${figures}${isOver ? '  OVER BUDGET' : ''}`);
  }
}
