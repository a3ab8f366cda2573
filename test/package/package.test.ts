import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createConsumer, root, type Consumer } from '../support/consumer.ts';

/** What a sub-path stands for: a file, or one for each condition. */
type Target = string | { readonly [condition: string]: Target };
const filesOf = (target: Target): string[] =>
  typeof target === 'string' ? [target] : Object.values(target).flatMap(filesOf);

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, Target>;
  bin: Record<string, string>;
  main: string;
  module: string;
  types: string;
  unpkg: string;
  jsdelivr: string;
  dependencies?: unknown;
  scripts: Record<string, string>;
};
const subPaths = Object.entries(manifest.exports);
const conditional = subPaths.filter(([, target]) => typeof target === 'object');
const scripts = conditional.filter(([, target]) => filesOf(target).at(-1)!.endsWith('.js'));
const specifier = (subPath: string): string => subPath.replace(/^\./, 'gatefold');

let consumer: Consumer;
beforeAll(() => {
  consumer = createConsumer();
});
afterAll(() => consumer.remove());

/** What a build step of an edge runtime does with `import module from 'x.wasm?module'`. */
const compiledWasm: Plugin = {
  name: 'compiled-wasm',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /\.wasm\?module$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.replace('?module', '')),
      namespace: 'compiled-wasm',
    }));
    onLoad({ filter: /./, namespace: 'compiled-wasm' }, ({ path }) => ({
      contents: `import { readFileSync } from 'node:fs';
        export default new WebAssembly.Module(readFileSync(${JSON.stringify(path)}));`,
    }));
  },
};

/**
 * An entry with everything it imports as one text, and what it exports: Node cannot import the
 * entries of other hosts.
 */
async function bundle(
  file: string,
  options: BuildOptions = {},
): Promise<{ text: string; exports: string[]; imports: unknown[] }> {
  const { metafile, outputFiles } = await build({
    entryPoints: [join(root, file)],
    bundle: true,
    format: 'esm',
    external: ['*.wasm', '*.wasm?module', 'node:*'],
    outdir: consumer.folder,
    logLevel: 'error',
    ...options,
    write: false,
    metafile: true,
  });
  const { exports, imports } = Object.values(metafile.outputs)[0]!;
  return { text: outputFiles[0]!.text, exports, imports };
}

describe('package.json', () => {
  test('names files that exist', () => {
    const fields = (['main', 'module', 'types', 'unpkg', 'jsdelivr'] as const).map(
      (field) => manifest[field],
    );
    const targets = [...fields, ...subPaths.flatMap(([, target]) => filesOf(target))];
    for (const target of [...targets, ...Object.values(manifest.bin)]) {
      expect(existsSync(join(root, target)), target).toBe(true);
    }
  });

  test('puts types first and the default last', () => {
    for (const [subPath, target] of conditional) {
      const conditions = Object.keys(target);
      expect(conditions[0], subPath).toBe('types');
      expect(conditions.at(-1), subPath).toBe('default');
    }
  });

  test('asks for nothing at run time and runs nothing at installation', () => {
    expect(manifest.dependencies).toBeUndefined();
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
    expect(Object.keys(manifest.scripts).filter((name) => hooks.includes(name))).toEqual([]);
  });
});

describe('the tarball', () => {
  test('holds the build, its licence and its documents, and nothing else', () => {
    const known =
      /^(package\.json|LICENSE|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md|bench\/(README\.md|RESULTS\.(md|svg))|packages\/cluster\/README\.md|docs\/([a-z]+\/)?[\w-]+\.md|docs\/experiments\/[\w-]+\.svg|examples\/.*|dist\/[\w./-]+\.(js|js\.map|d\.ts|wasm)|dist\/third-party-licences\.txt)$/;
    expect(consumer.files.filter((file) => !known.test(file))).toEqual([]);
    expect(consumer.files).toContain('LICENSE');
  });

  test('has what its documents link to', () => {
    const have = new Set(consumer.files.flatMap((file) => [file, join(file, '..')]));
    const pages = consumer.files.filter((file) => file.endsWith('.md'));
    expect(pages).toContain('SECURITY.md');
    const links = pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map(
        ([, link]) => [page, join(page, '..', link!).replace(/\/$/, '')] as const,
      ),
    );
    expect(links.length).toBeGreaterThan(30);
    expect(links.filter(([, target]) => !have.has(target))).toEqual([]);
  });

  test('says whose code is in the command', () => {
    const text = readFileSync(join(root, 'dist/third-party-licences.txt'), 'utf8');
    expect(text).toMatch(/^commander\n\n\(The MIT License\)/m);
    expect(text).toMatch(/^asciichart\n\nMIT License/m);
  });
});

describe('every entry', () => {
  const CORE = [
    'Engine',
    'GatefoldError',
    'Model',
    'ReduceOnPlateau',
    'Stream',
    'TextBatches',
    'Trainer',
    'UNKNOWN',
    'Vocabulary',
    'argmax',
    'cosineDecay',
    'defineLayers',
    'gradientFlow',
    'greedyCtc',
    'labelErrorRate',
    'linearDecay',
    'sampleToken',
    'seededRandom',
    'softmax',
    'splitByPosition',
    'stepDecay',
    'summary',
    'topK',
  ];

  test.each([
    ['index', [...CORE, 'wasmBytes']],
    ['core', CORE],
    ['baseline', [...CORE, 'wasmBytes']],
    ['workerd', [...CORE, 'wasmBytes']],
    ['edge', [...CORE, 'wasmBytes']],
    ['worklet', [...CORE, 'loadModel']],
    [
      'node',
      [
        ...CORE,
        'wasmBytes',
        'checkpointFile',
        'enableFastLane',
        'loadModelFile',
        'loadTrainerFile',
        'saveModelFile',
        'saveTrainerFile',
        'scoreSequences',
        'SessionPool',
        'writeWhole',
      ],
    ],
    [
      'data',
      [
        'Normalizer',
        'SequenceBuckets',
        'SeriesWindows',
        'TextBatches',
        'UNKNOWN',
        'Vocabulary',
        'splitByPosition',
        'splitSequences',
        'splitSeries',
      ],
    ],
    ['kernels', ['Kernels']],
    ['threads', ['attachModel', 'ThreadedEngine', 'releaseModel', 'shareModel']],
    ['threads.workerd', ['attachModel', 'ThreadedEngine', 'releaseModel', 'shareModel']],
    ['threads/worker', []],
    [
      'browser',
      ['ByteStore', 'createWorkerModel', 'createWorkletNode', 'fetchBytes', 'GatefoldError'],
    ],
    ['browser/worker', []],
    ['sessions', ['Session', 'SessionPool']],
    ['node/score-worker', []],
  ])('%s exports what it promises', async (entry, names) => {
    const { exports } = await bundle(`dist/${entry}.js`);
    expect(exports.sort()).toEqual([...names].sort());
  });

  test.each(scripts.map(([subPath]) => specifier(subPath)))('%s imports, silently', (name) => {
    expect(consumer.run(`await import('${name}')`)).toBe('');
  });

  test('can be required, because nothing waits at the top level', () => {
    for (const [subPath] of scripts) {
      const program = `process.stdout.write({}.toString.call(require('${specifier(subPath)}')))`;
      expect(consumer.run(program, 'commonjs')).toBe('[object Module]');
    }
  });

  test('for edge runtimes runs the baseline module that their build step compiles', async () => {
    const options = { plugins: [compiledWasm], external: ['node:*'] };
    for (const [name, entry] of Object.entries({ edge: 'edge', threads: 'threads.edge' })) {
      const { text } = await bundle(`dist/${entry}.js`, options);
      writeFileSync(join(consumer.folder, `${name}.mjs`), text);
    }
    const program = `
      import { Engine } from './edge.mjs';
      import { ThreadedEngine } from './threads.mjs';
      const { variant, maxBytes } = await Engine.create();
      console.log(variant, Engine.createSync({ simd: 'deterministic' }).variant, maxBytes / 2 ** 20);
      const { threads, threadsReason } = await ThreadedEngine.create({ threads: 2 });
      console.log(threads, threadsReason);`;
    expect(consumer.run(program)).toBe(
      'baseline baseline 32\n1 this host compiles no kernels at run time',
    );
  });

  test('shares its classes with the others', () => {
    const program = `
      import * as gatefold from 'gatefold';
      import * as core from 'gatefold/core';
      import { saveModel, loadModel } from 'gatefold/formats/safetensors';
      const engine = gatefold.Engine.createSync({ simd: 'deterministic' });
      const model = gatefold.Model.create(engine, { layers: [{ type: 'rnn', inputSize: 2, hiddenSize: 3 }] });
      const loaded = loadModel(engine, saveModel(model));
      const own = core.Engine.createSync({ module: gatefold.wasmBytes() });
      const { ThreadedEngine } = await import('gatefold/threads');
      const threaded = await ThreadedEngine.create({ threads: 1 });
      console.log(
        threaded instanceof gatefold.Engine, threaded instanceof core.Engine,
        engine instanceof gatefold.Engine, engine instanceof core.Engine, own instanceof gatefold.Engine,
        loaded instanceof core.Model, gatefold.Model === core.Model, gatefold.GatefoldError === core.GatefoldError,
      );`;
    expect(consumer.run(program)).toBe('true true true true false true true true');
  });
});

describe('the package in one file', () => {
  const PROGRAM = `
    const { Engine, Model, loadModel, saveModel, ThreadedEngine } = gatefold;
    const engine = Engine.createSync({ simd: 'deterministic' });
    const model = Model.create(engine, { layers: [{ type: 'gru', inputSize: 2, hiddenSize: 3 }] });
    const { output } = loadModel(engine, saveModel(model)).forward(new Float32Array(2), { steps: 1 });
    console.log(output.length, (await ThreadedEngine.create({ threads: 2 })).threads);
    process.exit();`;

  test('as a module imports nothing', async () => {
    expect((await bundle('dist/gatefold.esm.js', { external: ['*'] })).imports).toEqual([]);
    const at = join(consumer.folder, 'node_modules/gatefold/dist/gatefold.esm.js');
    expect(consumer.run(`import * as gatefold from '${at}';${PROGRAM}`)).toBe('3 2');
  });

  test('as a classic script leaves one global', () => {
    const at = join(consumer.folder, 'node_modules/gatefold/dist/gatefold.iife.js');
    const program = `
      import { readFileSync } from 'node:fs';
      import { runInThisContext } from 'node:vm';
      const before = new Set(Object.getOwnPropertyNames(globalThis));
      runInThisContext(readFileSync('${at}', 'utf8'));
      console.log(Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name)).join());
      ${PROGRAM}`;
    expect(consumer.run(program)).toBe('gatefold\n3 2');
  });
});

describe('the entries for bare hosts', () => {
  // What an AudioWorkletGlobalScope lacks, or Workers do.
  const GLOBALS =
    'fetch atob btoa TextDecoder TextEncoder URL Blob performance self window document navigator process Buffer require crypto';

  /**
   * An entry with everything it imports, in which every free reference to one of the globals has
   * the name FORBIDDEN_...
   */
  const codeOf = (entry: string): Promise<string> =>
    bundle(`dist/${entry}`, {
      define: Object.fromEntries(GLOBALS.split(' ').map((name) => [name, `FORBIDDEN_${name}`])),
    }).then(({ text }) => text);

  test.each([
    'core.js',
    'worklet.js',
    'workerd.js',
    'data.js',
    'kernels.js',
    'formats/pytorch.js',
    'formats/audio.js',
    'formats/layouts.js',
    'formats/safetensors.js',
    'formats/tfjs.js',
  ])('%s names no global that a worklet lacks', async (entry) => {
    expect((await codeOf(entry)).match(/FORBIDDEN_\w+/g)).toBeNull();
  });

  test.each(['index.js', 'baseline.js', 'threads.js', 'threads/worker.js'])(
    '%s names no process, for which a bundler would bring a copy',
    async (entry) => {
      expect((await codeOf(entry)).match(/FORBIDDEN_(process|Buffer|require)/g)).toBeNull();
    },
  );

  test('a name that is forbidden would be found', async () => {
    expect(await codeOf('cli.js')).toMatch(/FORBIDDEN_process/);
  });

  test('entries of hosts that have modules carry no kernels', async () => {
    const start = '( . @ :)((';
    expect((await bundle('dist/index.js')).text).toContain(start);
    for (const entry of ['core', 'worklet', 'workerd', 'edge', 'threads.workerd', 'node.workerd'])
      expect((await bundle(`dist/${entry}.js`)).text, entry).not.toContain(start);
  });
});

describe('an error or a console', () => {
  const SHOWN = [
    [
      'gatefold',
      [
        'Engine',
        'GatefoldError',
        'Model',
        'ReduceOnPlateau',
        'Stream',
        'TextBatches',
        'Trainer',
        'Vocabulary',
      ],
    ],
    [
      'gatefold/data',
      ['Normalizer', 'SequenceBuckets', 'SeriesWindows', 'TextBatches', 'Vocabulary'],
    ],
    ['gatefold/kernels', ['Kernels']],
    ['gatefold/threads', ['ThreadedEngine']],
  ] as const;

  test.each(SHOWN)('shows the names of the classes of %s', (name, classes) => {
    const program = `
      import * as entry from '${name}';
      const isClass = (value) => typeof value === 'function' && /^class\\b/.test(value);
      const classes = Object.entries(entry).filter(([, value]) => isClass(value));
      console.log(classes.map(([key, { name }]) => key + '=' + name).join(' '));`;
    expect(consumer.run(program)).toBe(classes.map((one) => `${one}=${one}`).join(' '));
  });

  test('shows the name of an object that the package has made', () => {
    const program = `
      import { Engine, Model } from 'gatefold';
      import { Kernels } from 'gatefold/kernels';
      const engine = Engine.createSync();
      const model = Model.create(engine, { layers: [{ type: 'rnn', inputSize: 2, hiddenSize: 3 }] });
      const kernels = Kernels.create(engine);
      const matrix = kernels.matrix(new Float32Array(6), 2, 3);
      const all = [engine, model, model.stream(), kernels, matrix];
      console.log(all.map((one) => one.constructor.name).join());`;
    expect(consumer.run(program)).toBe('Engine,Model,Stream,Kernels,Matrix');
  });

  test('shows where in the TypeScript, for each line of the package in a stack', () => {
    const program = `
      import { Engine } from 'gatefold';
      try { Engine.createSync({ maxBytes: -1 }); } catch (error) { console.log(error.stack); }`;
    const stack = consumer.run(program, 'module', ['--enable-source-maps']);
    const lines = stack.split('\n').filter((line) => line.includes('node_modules/gatefold'));
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) {
      const [, file, row] = /(src\/[\w/-]+\.ts):(\d+):\d+\)?$/.exec(line) ?? [];
      expect(file, line).toBeDefined();
      // A frame is a call: `name(`, or `new Name(`.
      expect(readFileSync(join(root, file!), 'utf8').split('\n')[Number(row) - 1], line).toMatch(
        /\(/,
      );
    }
    expect(stack).toMatch(/createImports .*src\/engine\/engine\.ts/);
  });

  test('finds the text of every source in the maps, but for the kernels', () => {
    const maps = consumer.files.filter((file) => file.endsWith('.map'));
    // The package in one file has none.
    const isMapped = (file: string): boolean =>
      /^dist\/.*\.js$/.test(file) && !/gatefold\.(esm|iife)\.js$/.test(file);
    const scriptFiles = consumer.files.filter(isMapped);
    expect(maps).toEqual(scriptFiles.map((file) => `${file}.map`));
    const sources = new Set<string>();
    for (const path of maps) {
      const map = JSON.parse(readFileSync(join(root, path), 'utf8')) as {
        sources: string[];
        sourcesContent: (string | null)[];
      };
      map.sources.forEach((source, k) => {
        const file = join(path, '..', source);
        if (!file.startsWith('src/')) return;
        sources.add(file);
        const text = /(wasm|baseline)-bytes\.ts$/.test(file)
          ? null
          : readFileSync(join(root, file), 'utf8');
        expect(map.sourcesContent[k], file).toBe(text);
      });
    }
    expect([...sources]).toContain('src/training/trainer.ts');
    expect([...sources]).toContain('src/threads/worker.ts');
  });
});
