// The package as a user gets it: packed, then installed from the tarball into an empty folder, with
// the program of conformance beside it.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transform } from 'esbuild';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Files of Keras that every host has to read. */
const KERAS = ['model-33.keras', 'household-gru.h5'];

/** Bytes as text, for hosts that have no files and worklets that have no `atob`. */
async function filesModule() {
  const texts = KERAS.map(async (name) => {
    const bytes = await readFile(join(root, 'test/fixtures/keras', name));
    return `bytes('${bytes.toString('hex')}')`;
  });
  return `const bytes = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
export const files = { keras: [${await Promise.all(texts)}] };
`;
}

/**
 * What every host runs: one engine at a time, each of them ended. A program of another realm gives
 * its own `conform`, whose arrays are of that realm.
 */
export const OUTCOME = `
import * as gatefold from 'gatefold';
import * as safetensors from 'gatefold/formats/safetensors';
import * as keras from 'gatefold/formats/keras';
import * as onnx from 'gatefold/formats/onnx';
import { ThreadedEngine } from 'gatefold/threads';
import * as own from './conform.mjs';
import { files as ownFiles } from './files.mjs';

const entries = { ...gatefold, ...safetensors, ...keras, ...onnx };
export async function outcome(conform = own.conform, files = ownFiles, options = {}) {
  const use = (engine) => {
    try {
      return conform(entries, engine, files);
    } finally {
      engine.dispose();
    }
  };
  const create = (more) => gatefold.Engine.create({ ...options, ...more });
  const deterministic = use(await create({ simd: 'deterministic' }));
  const usual = await create();
  const { maxBytes } = usual;
  const auto = use(usual);
  const engine = await ThreadedEngine.create({ simd: 'deterministic', threads: 2 });
  const { threads, threadsReason } = engine;
  return { deterministic, auto, threaded: use(engine), threads, threadsReason, maxBytes };
}
`;

/** Bare names of the package, as the address that its exports give below some folder. */
export function resolved(text, at, { exports }) {
  return text.replace(/'gatefold(\/[\w/-]+)?'/g, (_, path = '') => {
    const { default: file } = exports[`.${path}`];
    return `'${at}${file.slice(1)}'`;
  });
}

/**
 * A folder whose node_modules holds the package and nothing else; and the names of the files in the
 * tarball.
 */
export async function installPackage() {
  const folder = await mkdtemp(join(tmpdir(), 'gatefold-hosts-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: root,
    maxBuffer: 2 ** 24,
  });
  const printed = JSON.parse(stdout);
  const [{ filename, files }] = Array.isArray(printed) ? printed : Object.values(printed);
  const write = (name, text) => writeFile(join(folder, name), text);
  await write('package.json', '{ "private": true, "type": "module" }\n');
  const options = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...options, join(folder, filename)], { cwd: folder });
  const manifest = JSON.parse(
    await readFile(join(folder, 'node_modules/gatefold/package.json'), 'utf8'),
  );
  await write('conform.mjs', await readFile(new URL('conform.mjs', import.meta.url), 'utf8'));
  await write('files.mjs', await filesModule());
  await write('outcome.mjs', OUTCOME);
  await write('outcome.cjs', (await transform(OUTCOME, { format: 'cjs', platform: 'node' })).code);
  return {
    folder,
    manifest,
    tarball: join(folder, filename),
    files: files.map(({ path }) => path),
    write,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
