import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { chromium } from 'playwright-core';

const TYPES = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/**
 * The strictest policy under which a page may run WebAssembly: nothing may be fetched from scripts,
 * not even `data:`.
 */
const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'none'";

const PAGES = {
  '/page.html': '<!doctype html><meta charset="utf-8" /><title>gatefold</title>',
  '/page.js': `
import * as entry from '/node_modules/gatefold/dist/index.js';
import { ThreadedEngine } from '/node_modules/gatefold/dist/threads.js';
import { smoke } from '/smoke.mjs';
async function page() {
  const results = {};
  for (const simd of ['deterministic', 'auto']) {
    results[simd] = smoke(entry, await entry.Engine.create({ simd }));
  }
  return results;
}
async function worklet(simd, compiled) {
  const context = new OfflineAudioContext(1, 256, 48000);
  await context.audioWorklet.addModule('/processor.js');
  const bytes = entry.wasmBytes({ simd });
  const module = compiled ? await WebAssembly.compile(bytes) : bytes;
  const node = new AudioWorkletNode(context, 'smoke', { processorOptions: { module } });
  node.connect(context.destination);
  const answer = new Promise((resolve, reject) => {
    node.port.onmessage = ({ data }) => ('error' in data ? reject(new Error(data.error)) : resolve(data.result));
    node.onprocessorerror = () => reject(new Error('the processor could not be made'));
  });
  await context.startRendering();
  return answer;
}
async function threaded() {
  const engine = await ThreadedEngine.create({ simd: 'deterministic', threads: 3 });
  const { threads } = engine;
  const results = smoke(entry, engine);
  engine.dispose();
  return { threads, results };
}
export async function everything() {
  return {
    page: await page(),
    threaded: await threaded(),
    worklet: {
      deterministic: await worklet('deterministic', true),
      bytes: await worklet('deterministic', false),
      auto: await worklet('auto', true),
    },
  };
}
`,
  '/processor.js': `
import * as entry from '/node_modules/gatefold/dist/worklet.js';
import { smoke } from '/smoke.mjs';
registerProcessor('smoke', class extends AudioWorkletProcessor {
  constructor({ processorOptions: { module } }) {
    super();
    try {
      this.port.postMessage({ result: smoke(entry, entry.Engine.createSync({ module })) });
    } catch (error) {
      this.port.postMessage({ error: String(error) });
    }
  }
  process() {
    return false;
  }
});
`,
};

/** What a page needs for shared memory. */
export const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** A server of a folder and of texts by path, each answer with these headers; and its origin. */
export async function serve(folder, headers, pages = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname);
    try {
      const body = pages[path] ?? (await readFile(join(folder, path)));
      const type = TYPES[extname(path)] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, ...headers });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return { origin: `http://127.0.0.1:${port}`, close: () => server.close() };
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** What the package computes in a page and in an AudioWorklet of headless Chromium. */
export async function smokeChromium({ folder }) {
  const headers = { 'content-security-policy': POLICY, ...ISOLATED };
  const server = await serve(folder, headers, PAGES);
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    await tab.goto(`${server.origin}/page.html`);
    // As text: vitest rewrites the imports of functions.
    const results = await tab.evaluate("import('/page.js').then(({ everything }) => everything())");
    return { version: browser.version(), ...results };
  } finally {
    await browser.close();
    server.close();
  }
}
