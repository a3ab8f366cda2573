/** The bench in a page: serves it, and opens it in a browser that is named. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { formatTable } from './report.mjs';

const USAGE = `npm run bench:browser -- [--browser NAME] [--only PATTERN] [--quick] [--json FILE]

  --browser NAME   chromium, firefox, or the path of either: runs the cases in it, without a window, and prints a table;
                   without it, the page is served for you to open
  --only PATTERN   cases whose id matches the regular expression, such as 'lstm/step'
  --quick          two short rounds: to see that it works, not for figures
  --json FILE      write the figures there too
  --port PORT      of the page; any free one otherwise`;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = '/bench/browser/page.html';
const SCRIPT = '/bench/browser/page.js';
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'bench/browser/page.mjs')],
    bundle: true,
    format: 'esm',
    external: ['onnxruntime-web', 'node:*'],
    // Parts for Node that the packages leave alone in a page.
    alias: {
      fs: 'node:fs',
      path: 'node:path',
      util: 'node:util',
      worker_threads: 'node:worker_threads',
    },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0].text;
}

/** `onReport` gets what the page posts. */
async function serve(port, onReport) {
  const script = await bundle();
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname);
    if (request.method === 'POST') {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => {
        response.end();
        onReport(JSON.parse(Buffer.concat(parts).toString()));
      });
      return;
    }
    try {
      const body = path === SCRIPT ? script : readFileSync(join(ROOT, path));
      response.writeHead(200, {
        'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
        // An isolated page has the finer clock, and shared memory.
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

function open(browser, url, profile) {
  const isFirefox = browser.includes('firefox');
  const args = isFirefox
    ? ['--headless', '--no-remote', '--profile', profile, url]
    : [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        `--user-data-dir=${profile}`,
        url,
      ];
  return spawn(browser, args, { stdio: 'ignore' });
}

/** What a page reports that such a browser opens. */
async function runIn(browser, query) {
  const profile = mkdtempSync(join(tmpdir(), 'gatefold-bench-'));
  let child;
  let server;
  try {
    return await new Promise((resolve, reject) => {
      serve(0, (report) => (report.error ? reject(new Error(report.error)) : resolve(report))).then(
        (listening) => {
          server = listening;
          const url = `http://127.0.0.1:${server.address().port}${PAGE}?start&report&${query}`;
          child = open(browser, url, profile);
          child.on('error', reject);
          child.on('exit', (code) => reject(new Error(`${browser} ended with status ${code}`)));
        },
        reject,
      );
    });
  } finally {
    child?.kill('SIGKILL');
    server?.close();
    server?.closeAllConnections();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

function parseOptions() {
  const { values } = parseArgs({
    options: {
      browser: { type: 'string' },
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      port: { type: 'string', default: '0' },
    },
  });
  return values;
}

async function main() {
  let options;
  try {
    options = parseOptions();
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const { browser, only, quick, json, port } = options;
  if (!browser) {
    const server = await serve(Number(port), () => {});
    console.log(`open http://127.0.0.1:${server.address().port}${PAGE} (Ctrl-C ends)`);
    return;
  }
  const query = new URLSearchParams({ only, ...(quick ? { quick: '' } : {}) });
  const report = await runIn(browser, query);
  const { machine, entries, others } = report;
  console.log(`${machine.agent}, ${machine.cores} cores\n\n${formatTable(entries, others)}`);
  if (json) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
}

await main();
