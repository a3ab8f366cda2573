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
): Promise<{ text: string; exports: string[] }> {
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
  return { text: outputFiles[0]!.text, exports: Object.values(metafile.outputs)[0]!.exports };
}

describe('package.json', () => {
  test('names files that exist', () => {
    const targets = subPaths.flatMap(([, target]) => filesOf(target));
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
      /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/[\w./-]+\.(js|js\.map|d\.ts|wasm)|dist\/third-party-licences\.txt)$/;
    expect(consumer.files.filter((file) => !known.test(file))).toEqual([]);
    expect(consumer.files).toContain('LICENSE');
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
    ['workerd', CORE],
    ['edge', CORE],
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
    ['threads/worker', []],
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
    const { text } = await bundle('dist/edge.js', {
      plugins: [compiledWasm],
      external: ['node:*'],
    });
    writeFileSync(join(consumer.folder, 'edge.mjs'), text);
    const program = `
      import { Engine } from './edge.mjs';
      const { variant, maxBytes } = await Engine.create();
      console.log(variant, Engine.createSync({ simd: 'deterministic' }).variant, maxBytes / 2 ** 20);`;
    expect(consumer.run(program)).toBe('baseline baseline 32');
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
      console.log(
        engine instanceof gatefold.Engine, engine instanceof core.Engine, own instanceof gatefold.Engine,
        loaded instanceof core.Model, gatefold.Model === core.Model, gatefold.GatefoldError === core.GatefoldError,
      );`;
    expect(consumer.run(program)).toBe('true true false true true true');
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

  test('a name that is forbidden would be found', async () => {
    expect(await codeOf('cli.js')).toMatch(/FORBIDDEN_process/);
  });

  test.each(['core.js', 'worklet.js', 'workerd.js', 'edge.js'])(
    '%s carries no kernels',
    async (entry) => {
      expect(await codeOf(entry)).not.toContain('AGFzbQ');
    },
  );
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
    const scriptFiles = consumer.files.filter((file) => file.endsWith('.js'));
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
        const text = file.endsWith('wasm-bytes.ts') ? null : readFileSync(join(root, file), 'utf8');
        expect(map.sourcesContent[k], file).toBe(text);
      });
    }
    expect([...sources]).toContain('src/training/trainer.ts');
    expect([...sources]).toContain('src/threads/worker.ts');
  });
});
