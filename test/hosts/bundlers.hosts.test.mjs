// A threaded engine in the bundles of others: it finds its worker, or says why not.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BUNDLERS,
  bun,
  bundleFor,
  bundleForServer,
  developWithVite,
  prepare,
} from './bundlers.mjs';
import { ISOLATED, launch, serve } from './chromium.mjs';
import { smokeNode } from './node.mjs';
import { installPackage } from './package.mjs';

const require = createRequire(import.meta.url);
/** Its `process` has no `getBuiltinModule`. */
const node20 = require.resolve('node-20/bin/node');

let installed;
let browser;
let reference;

beforeAll(async () => {
  installed = await installPackage();
  await prepare(installed.folder);
  browser = await launch();
  reference = (await smokeNode(installed, process.execPath)).deterministic;
});
afterAll(async () => {
  await browser?.close();
  await installed?.remove();
});

/** What came out of the program in a page of this address. */
async function visit({ origin }, path = '/index.html') {
  const tab = await browser.newPage();
  const errors = [];
  tab.on('pageerror', (error) => errors.push(String(error)));
  try {
    await tab.goto(origin + path);
    await tab.waitForFunction('globalThis.outcome', undefined, { timeout: 20_000 });
    return await tab.evaluate('globalThis.outcome');
  } catch (error) {
    throw new Error([error.message, ...errors].join('\n'), { cause: error });
  } finally {
    await tab.close();
  }
}

async function visitFolder(out, headers) {
  const server = await serve(out, headers);
  try {
    return await visit(server);
  } finally {
    server.close();
  }
}

const whole = () => ({ threads: 2, threadsReason: undefined, results: reference });

describe('a page bundled by', () => {
  test.each(Object.keys(BUNDLERS))('%s has its threads', async (name) => {
    const out = await bundleFor(name, installed.folder);
    expect(await visitFolder(out, ISOLATED)).toMatchObject(whole());
  });

  test('Vite 7 while it is developed has its threads', async () => {
    const server = await developWithVite(installed.folder, ISOLATED);
    try {
      expect(await visit(server)).toMatchObject(whole());
    } finally {
      await server.close();
    }
  });
});

describe('a page', () => {
  test('without the headers of isolation names them', async () => {
    const out = await bundleFor('esbuild', installed.folder);
    const { threads, threadsReason, results } = await visitFolder(out, {});
    expect({ threads, results }).toEqual({ threads: 1, results: reference });
    expect(threadsReason).toMatch(/Cross-Origin-Opener-Policy: same-origin.*require-corp/);
  });

  test('whose policy refuses blobs says that both ways failed, within seconds', async () => {
    const out = await bundleFor('esbuild', installed.folder);
    const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
    const headers = { ...ISOLATED, 'content-security-policy': policy };
    const { threads, threadsReason, ms } = await visitFolder(out, headers);
    expect(threads).toBe(1);
    expect(threadsReason).toMatch(/^a worker from its file: .*; a worker from its text: /);
    expect(ms).toBeLessThan(4000);
  });

  test('that takes the package from another origin has its threads', async () => {
    const shared = { 'access-control-allow-origin': '*', ...ISOLATED };
    const cdn = await serve(installed.folder, {
      ...shared,
      'cross-origin-resource-policy': 'cross-origin',
    });
    const at = `${cdn.origin}/node_modules/gatefold/dist/`;
    const imports = { gatefold: `${at}index.js`, 'gatefold/threads': `${at}threads.js` };
    const page = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
      <script type="module" src="./app.js"></script>`;
    const server = await serve(installed.folder, ISOLATED, { '/other.html': page });
    try {
      expect(await visit(server, '/other.html')).toMatchObject(whole());
    } finally {
      server.close();
      cdn.close();
    }
  });
});

describe('a bundle for servers has its threads', () => {
  test.each([
    ['this Node', process.execPath],
    ['Node 20.9', node20],
    ['Bun', bun],
  ])('in %s', async (_, binary) => {
    const file = await bundleForServer(installed.folder);
    const { stdout } = await promisify(execFile)(binary, [file]);
    expect(JSON.parse(stdout)).toMatchObject({ threads: 2, results: reference });
  });
});
