/**
 * The README and the pages of docs/ as a reader pastes them: every block, in its order, in a new
 * project that has the packed package where the README says `npm install gatefold`.
 */
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build, transform, type BuildOptions } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../support/consumer.ts';

interface Block {
  readonly title: string;
  readonly language: string;
  readonly code: string;
  /** The file that the text before the block names, or one of its own. */
  readonly file: string;
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function blocksOf(page: string): Block[] {
  const text = read(page);
  const found = [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)];
  return found.map(({ 1: language = '', 2: code = '', index }, n) => {
    const before = text.slice(0, index).split('```').at(-1)!;
    const named = /This\s+is\s+`([\w.]+)`:\s+(?:<!--.*-->\s+)?$/.exec(before)?.[1];
    const own = `${page.replace(/\W+/g, '-')}-${n + 1}.${language === 'ts' ? 'mts' : 'mjs'}`;
    const title = `${language}: ${code.trim().split('\n')[0]}`;
    return { title, language, code, file: named ?? own };
  });
}

const README = read('README.md');
const blocks = blocksOf('README.md');
const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name.split(sep).join('/')}`);
const texts = ['README.md', 'CONTRIBUTING.md', ...pages];

// The package has no dependencies: npm needs no network.
const env = {
  ...process.env,
  npm_config_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  NODE_NO_WARNINGS: '1',
};
let folder = '';
let packed = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatefold-reader-'));
  await run('npm', ['init', '-y']);
  const output = await run('npm', ['pack', '--pack-destination', folder], root);
  packed = output.trim().split('\n').at(-1)!;
  writeFileSync(join(folder, 'notes.txt'), read('CHANGELOG.md').slice(0, 1000));
  copyFileSync(join(root, 'test/fixtures/keras/model-41.keras'), join(folder, 'model.keras'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = promisify(execFile);

/** What a command prints; rejects where it fails. */
async function run(command: string, args: readonly string[], cwd = folder): Promise<string> {
  return (await start(command, args, { cwd, env })).stdout;
}

/** A page's script as one file: `/gatefold` is the folder that the README says to serve there. */
async function bundle(code: string, options: BuildOptions = {}): Promise<string> {
  const [, served, at] = /serve\s+the\s+folder\s+`([^`]+)`[^`]+as\s+`([^`]+)`/.exec(README)!;
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: folder },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    ...options,
    write: false,
    plugins: [
      {
        name: 'server',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^\// }, ({ path }) =>
            path.startsWith(`${at}/`)
              ? { path: join(folder, served!, path.slice(at!.length)) }
              : { errors: [{ text: `${path} is not served` }] },
          ),
      },
    ],
  });
  return outputFiles[0]!.text;
}

/** What a block prints. A file that the README names is only written: a later block runs it. */
async function tryBlock({ language, code, file }: Block): Promise<string> {
  if (language === 'sh') {
    const install = `npm install ./${packed}`;
    return run('bash', ['-euc', code.replace('npm install gatefold', install)]);
  }
  if (language === 'python' || !(await isAvailable(code))) return '';
  const classic = /<script src="\/gatefold\/([\w.]+)"><\/script>\s*<script>([^]+)<\/script>/.exec(
    code,
  );
  const module = /<script type="module">([^]+)<\/script>/.exec(code)?.[1];
  writeFileSync(join(folder, file), module === undefined ? code : await bundle(module));
  if (README.includes(`node ${file}`)) return '';
  if (classic) {
    const [, library, program] = classic;
    const path = join(folder, 'node_modules/gatefold/dist', library!);
    const script = file.replace(/mjs$/, 'cjs');
    writeFileSync(join(folder, script), `${readFileSync(path, 'utf8')}\n${program}`);
    return run('node', [script]);
  }
  const host = code.includes('registerProcessor') ? ['--import', WORKLET] : [];
  if (language !== 'ts') return run('node', [...host, file]);
  const compiled = join(folder, file.replace(/mts$/, 'compiled.mjs'));
  writeFileSync(compiled, (await transform(code, { loader: 'ts' })).code);
  return run('node', [...host, compiled]);
}

/** What a worklet has and Node has not. */
const WORKLET =
  'data:text/javascript,globalThis.AudioWorkletProcessor = class {}; globalThis.registerProcessor = () => {};';

/** Other libraries that pages show beside this one: no test can install these. */
const NOT_HERE = ['brain.js'];

/** What the package of all of TensorFlow.js is made of. */
const TFJS = ['tfjs-core', 'tfjs-layers', 'tfjs-backend-cpu'].map((name) => `@tensorflow/${name}`);
const CHAINED = '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';

const REQUIRE = 'const require = createRequire(import.meta.url);';

/** Makes a package of this repository one of the folder. */
async function link(name: string): Promise<void> {
  const home = join(folder, 'node_modules', name);
  await mkdir(dirname(home), { recursive: true });
  await symlink(join(root, 'node_modules', name), home, 'dir');
}

/** Those that tests have here, as if they were installed in the folder. */
const PEERS: Readonly<Record<string, () => Promise<unknown>>> = {
  'onnxruntime-web': () => link('onnxruntime-web'),
  async '@tensorflow/tfjs'() {
    const home = join(folder, 'node_modules/@tensorflow/tfjs');
    const all = [CHAINED, ...TFJS].map((name) => `export * from '${name}';`).join('\n');
    await mkdir(home, { recursive: true });
    await Promise.all(TFJS.map(link));
    writeFileSync(join(home, 'package.json'), '{ "type": "module", "types": "index.d.ts" }');
    writeFileSync(join(home, 'index.d.ts'), all);
    await build({
      stdin: { contents: all, resolveDir: root },
      outfile: join(home, 'index.js'),
      bundle: true,
      format: 'esm',
      mainFields: ['module', 'main'],
      external: ['util', 'crypto', 'node-fetch', 'string_decoder'],
      banner: { js: `import { createRequire } from 'node:module';\n${REQUIRE}` },
      logLevel: 'error',
    });
  },
};

/** Whether the packages that a program imports are there, or can be. */
async function isAvailable(code: string): Promise<boolean> {
  for (const [name, add] of Object.entries(PEERS)) {
    const isHere = existsSync(join(folder, 'node_modules', name));
    if (!isHere && code.includes(`'${name}'`)) await add();
  }
  return !NOT_HERE.some((name) => code.includes(`'${name}'`));
}

describe('the README', () => {
  let printed = '';

  test.each(blocks)('$title', async (block) => {
    const output = await tryBlock(block);
    expect(output).not.toMatch(/\bNaN\b|\bundefined\b/);
    printed += output;
  });

  test('shows a page with an engine', () => {
    expect(blocks.map(({ language }) => language)).toContain('html');
    expect(printed).toMatch(/is ready, (relaxed|baseline) kernels/);
  });

  test('trains a model that knows the wave', () => {
    const [, value, expected] = /(\S+) expected (\S+)/.exec(printed)!;
    expect(Number(expected)).toBeCloseTo(Math.sin(25), 2);
    expect(Math.abs(Number(value) - Math.sin(25))).toBeLessThan(0.05);
  });

  test('has at most 120 lines, and 12 in each program', () => {
    const lines = (text: string): number => text.trimEnd().split('\n').length;
    expect(lines(README)).toBeLessThanOrEqual(120);
    for (const { language, code } of blocks) {
      if (language === 'js') expect(lines(code)).toBeLessThanOrEqual(12);
    }
  });

  test('gives the sizes of the package, to a tenth', async () => {
    const kilobytes = (content: string | Uint8Array): number => gzipSync(content).length / 1024;
    const entry = (name: string): Promise<string> =>
      bundle(`export * from '/gatefold/${name}'`, { minify: true });
    const wasm = join(folder, 'node_modules/gatefold/dist/wasm/gatefold-relaxed.wasm');
    const contents = [await entry('index.js'), await entry('core.js'), readFileSync(wasm)];
    const section = /^## Size\n([^#]+)/m.exec(README)![1]!;
    const given = [...section.matchAll(/(\d+) KB/g)].map(([, size]) => Number(size));
    const ratios = contents.map((content, i) => given[i]! / kilobytes(content));
    for (const ratio of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(0.1);
  });

  test('names commands that a clone has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: object };
    const named = [...README.matchAll(/`npm ci && npm (\w+)`/g)].map(([, name]) => name!);
    expect(named).toEqual(['start', 'test']);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
  });
});

/** Whether something that a block prints is there to be seen: Python is not there to be run. */
const shows = ({ language, code }: Block): boolean =>
  /^(?:js|ts|html)$/.test(language) &&
  code.includes('console.log') &&
  !NOT_HERE.some((name) => code.includes(`'${name}'`));

/** Several pages share the cores. */
const PAGE_MS = 180_000;

test.concurrent.each(pages)(
  '%s: every block runs, in its order',
  async (page) => {
    for (const block of blocksOf(page)) {
      const output = await tryBlock(block);
      if (shows(block)) expect(output, block.title).not.toBe('');
      expect(output, block.title).not.toMatch(/\bNaN\b|\bundefined\b/);
    }
  },
  PAGE_MS,
);

test('every program fits the types of the package', async () => {
  const programs = ['README.md', ...pages]
    .flatMap(blocksOf)
    .filter(({ language }) => language === 'js' || language === 'ts');
  const files: string[] = [];
  for (const { file, code } of programs) {
    if (!(await isAvailable(code))) continue;
    writeFileSync(join(folder, file), code);
    files.push(file);
  }
  const compilerOptions = {
    strict: true,
    noEmit: true,
    // Those of TensorFlow.js do not pass; package/declarations checks ours.
    skipLibCheck: true,
    allowJs: true,
    checkJs: true,
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2022', 'dom'],
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  try {
    await run(process.execPath, [join(root, 'node_modules/typescript/lib/tsc.js'), '-p', folder]);
  } catch (error) {
    expect.fail((error as { stdout: string }).stdout);
  }
});

describe('the README, CONTRIBUTING and the pages', () => {
  /** What a pattern finds in any of the texts and a check refuses, with the page it is on. */
  const refused = (pattern: RegExp, isFine: (found: string, page: string) => boolean): string[] =>
    texts.flatMap((page) =>
      [...read(page).matchAll(pattern)]
        .map(([whole, part = whole]) => part)
        .filter((found) => !isFine(found, page))
        .map((found) => `${page}: ${found}`),
    );

  test('link to files that exist', () => {
    const exists = (path: string, page: string): boolean =>
      existsSync(join(root, dirname(page), path));
    expect(refused(/\]\((?!https?:)([^)#]+)[^)]*\)/g, exists)).toEqual([]);
  });

  test('link to headings that exist', () => {
    /** The anchors of a page, as GitHub and the site make them. */
    const anchors = (page: string): string[] =>
      [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      );
    const exists = (link: string, page: string): boolean => {
      const [path = '', anchor = ''] = link.split('#');
      return anchors(path ? join(dirname(page), path) : page).includes(anchor);
    };
    expect(refused(/\]\((?!https?:)([^)#]*#[^)]+)\)/g, exists)).toEqual([]);
  });

  test('are all in the index of the docs', () => {
    const links = [...read('docs/README.md').matchAll(/^- \[[^\]]+\]\(([^)]+)\)/gm)];
    const listed = links.map(([, link]) => normalize(`docs/${link}`).split(sep).join('/'));
    expect(listed.filter((page) => page.startsWith('docs/')).sort()).toEqual(
      pages.filter((page) => page !== 'docs/README.md').sort(),
    );
  });

  test('name entries that exist', () => {
    const { exports } = JSON.parse(read('package.json')) as { exports: object };
    const exists = (entry: string): boolean => entry.replace(/^gatefold/, '.') in exports;
    expect(refused(/[`'](gatefold(?:\/[\w./-]+)?)[`']/g, exists)).toEqual([]);
  });

  test('name sources and tests that exist', () => {
    const files = ['assembly', 'build', 'docs', 'src', 'test'].flatMap((room) =>
      readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map(
        (path) => `/${room}/${path}`,
      ),
    );
    const exists = (name: string, page: string): boolean =>
      page === 'README.md' || files.some((path) => path.endsWith(`/${name}`));
    expect(refused(/`([\w./-]+\.(?:ts|mjs))`/g, exists)).toEqual([]);
    const withSeconds = /`([\w/-]+)` \([\d.]+\)/g;
    expect(read('CONTRIBUTING.md')).toMatch(withSeconds);
    expect(refused(withSeconds, (name, page) => exists(`${name}.test.ts`, page))).toEqual([]);
  });

  test('have no placeholder left', () => {
    expect(refused(/@[A-Z]{2,}@|\b(?:TODO|TBD|XXX)\b/g, () => false)).toEqual([]);
  });
});
