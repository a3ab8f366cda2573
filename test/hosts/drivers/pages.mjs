// Pages that run the outcome without a build step, from the files of the package: in themselves, in
// each kind of worker, and in an AudioWorklet.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { build } from 'esbuild';
import { OUTCOME, resolved } from '../package.mjs';
import { once } from './running.mjs';

const TYPES = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** What a page needs for shared memory. */
export const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/**
 * The strictest policy under which a page may run WebAssembly: nothing may be fetched from scripts,
 * not even `data:`.
 */
export const POLICY = {
  'content-security-policy':
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'none'",
};

/** What a page does to show an outcome. */
export const SHOW = `
function show(promise) {
  promise
    .then((outcome) => ({ outcome }))
    .catch((error) => ({ error: String(error) + (error?.stack ?? '') }))
    .then((shown) => (document.title = JSON.stringify(shown)));
}
`;

/** The one way that the page is asked for, by \`?where=\`. */
const PAGE = `
const answer = (target) =>
  new Promise((resolve, reject) => {
    target.onmessage = ({ data: { outcome, error } }) => (error ? reject(error) : resolve(outcome));
    target.onerror = (event) => reject(event.message ?? 'the worker did not load');
  });
const WAYS = {
  async page() {
    const { outcome } = await import('/outcome.page.mjs');
    return outcome();
  },
  module: () => answer(new Worker('/inside.mjs', { type: 'module' })),
  classic: () => answer(new Worker('/inside.js')),
  shared: () => answer(new SharedWorker('/inside.mjs', { type: 'module' }).port),
  async service() {
    const registration = await navigator.serviceWorker.register('/inside.js');
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    const { port1, port2 } = new MessageChannel();
    worker.postMessage('run', [port2]);
    const outcome = await answer(port1);
    await registration.unregister();
    return outcome;
  },
  async worklet() {
    const context = new OfflineAudioContext(1, 128, 48000);
    await context.audioWorklet.addModule('/inside.mjs');
    const node = new AudioWorkletNode(context, 'inside');
    node.connect(context.destination);
    const answered = answer(node.port);
    node.onprocessorerror = () => (document.title = '{"error":"the processor failed"}');
    await context.startRendering();
    return answered;
  },
  async frame() {
    const frame = document.body.appendChild(document.createElement('iframe'));
    frame.src = '/frame.html';
    await new Promise((resolve) => (frame.onload = resolve));
    const { outcome } = await frame.contentWindow.ready;
    return outcome((await import('/conform.mjs')).conform, (await import('/files.mjs')).files);
  },
};
show(WAYS[new URLSearchParams(location.search).get('where')]());
`;

/** Inside of any kind of worker or worklet: who asks, is answered. */
const INSIDE = `
const reply = (port) =>
  outcome().then(
    (outcome) => port.postMessage({ outcome }),
    (error) => port.postMessage({ error: String(error) + error.stack }),
  );
if (globalThis.registerProcessor) {
  class Inside extends AudioWorkletProcessor {
    constructor() {
      super();
      reply(this.port);
    }
    process = () => true;
  }
  registerProcessor('inside', Inside);
} else if (globalThis.SharedWorkerGlobalScope) onconnect = ({ ports: [port] }) => reply(port);
else if (globalThis.ServiceWorkerGlobalScope) onmessage = (event) => event.waitUntil(reply(event.ports[0]));
else reply(globalThis);
`;

/**
 * A server of a folder and of texts by path, each answer with these headers; and its origin.
 */
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
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { origin: `http://127.0.0.1:${port}`, close };
}

/** The files of those pages, with the package from that address. */
async function pagesFor({ folder, manifest }, at) {
  const importing = `import { outcome } from '/outcome.page.mjs';`;
  const { outputFiles } = await build({
    stdin: { contents: `import { outcome } from './outcome.mjs';${INSIDE}`, resolveDir: folder },
    bundle: true,
    format: 'iife',
    write: false,
    logLevel: 'error',
    define: { 'import.meta.url': '""' },
  });
  return {
    '/page.html':
      '<!doctype html><meta charset="utf-8" /><script type="module" src="/page.js"></script>',
    '/page.js': SHOW + PAGE,
    '/frame.html':
      '<!doctype html><meta charset="utf-8" /><script type="module" src="/frame.js"></script>',
    '/frame.js': `globalThis.ready = import('/outcome.page.mjs');`,
    '/outcome.page.mjs': resolved(OUTCOME, at, manifest),
    '/inside.mjs': importing + INSIDE,
    '/inside.js': outputFiles[0].text,
  };
}

/** What another origin sends, so that isolated pages may take its files. */
const SHARED = {
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
};

/** Serves the pages, the package by another origin where `cdn` is set, and visits one of them. */
export function page(launch, where, headers, cdn = false) {
  return async (installed) => {
    const engine = await once(launch, launch);
    const other = cdn && (await serve(installed.folder, { ...SHARED, ...headers }));
    const at = `${other ? other.origin : ''}/node_modules/gatefold`;
    const server = await serve(installed.folder, headers, await pagesFor(installed, at));
    try {
      const outcome = await engine.visit(`${server.origin}/page.html?where=${where}`);
      return { version: engine.version, command: `page.html?where=${where}`, ...outcome };
    } finally {
      server.close();
      if (other) other.close();
    }
  };
}

/** Visits the page that a bundler, a framework or a server of development made. */
export async function visit(launch, address) {
  return (await once(launch, launch)).visit(address);
}
