// Applications of frameworks: built as their users build them, and served by what they give.
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { end, freePort, launchChromium } from './engines.mjs';
import { SHOW, visit } from './pages.mjs';
import { once } from './running.mjs';
import { ENVIRONMENT, gate, node24, runIn, slow, versionOf } from './slow.mjs';
import { WORKER, ask, bundleWorker, listening } from './workerd.mjs';

const home = fileURLToPath(new URL('../slow/', import.meta.url));

/**
 * A folder of these files, with the installed package and the program. It is beside the packages of
 * the slow run, and no link leads out: some tools follow none.
 */
async function appOf(installed, files) {
  const folder = await mkdtemp(join(home, 'app-'));
  const copied = ['node_modules/gatefold', 'conform.mjs', 'files.mjs', 'outcome.mjs'];
  for (const file of copied) {
    await cp(join(installed.folder, file), join(folder, file), { recursive: true });
  }
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  return folder;
}

/** Builds an application by the words of `build` and serves it by those of `serve`. */
export async function start(installed, { files, prepare, build, serve }) {
  const folder = await appOf(installed, files);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await prepare?.(folder);
    if (build) await runIn(folder, node24, ...build);
    const port = await freePort();
    const env = { ...ENVIRONMENT, PORT: port, HOST: '127.0.0.1' };
    const args = serve.map((word) => word.replace('PORT', port));
    const server = spawn(node24, args, {
      cwd: folder,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const close = async () => {
      await end(server);
      await remove();
    };
    return { origin: await listening(`http://127.0.0.1:${port}`, server), close };
  } catch (error) {
    await remove();
    throw error;
  }
}

const CLIENT = `import { outcome } from '../outcome.mjs';${SHOW}`;
const ROUTE = `import { outcome } from '../../outcome.mjs';
export const dynamic = 'force-dynamic';
export const GET = async () => Response.json(await outcome());
`;
const HEADERS = `[
  { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
  { key: 'Cross-Origin-Embedder-Policy', value: 'require-corp' },
]`;

/** By name: its package, its files, how it is built and served. */
export const APPS = {
  next: {
    package: slow('next'),
    files: {
      'package.json': '{ "private": true, "type": "module" }',
      'next.config.mjs': `export default {
        turbopack: { root: ${JSON.stringify(home)} },
        headers: async () => [{ source: '/:path*', headers: ${HEADERS} }],
      };`,
      'app/layout.jsx': `export default function Layout({ children }) {
        return <html><body>{children}</body></html>;
      }`,
      'app/page.jsx': `'use client';
        import { useEffect } from 'react';
        ${CLIENT}
        export default function Page() {
          useEffect(() => show(outcome()), []);
          return <p>gatefold</p>;
        }`,
      'app/node/route.js': ROUTE,
      'app/edge/route.js': `${ROUTE}export const runtime = 'edge';\n`,
    },
    build: [slow('next/dist/bin/next'), 'build'],
    serve: [slow('next/dist/bin/next'), 'start', '-H', '127.0.0.1', '-p', 'PORT'],
  },
};
const { 'app/edge/route.js': _, ...withoutEdge } = APPS.next.files;
/** Its webpack builds no edge route of the app directory, whatever is in it, but those of pages. */
APPS['next, webpack'] = {
  ...APPS.next,
  files: {
    ...withoutEdge,
    'pages/api/edge.js': `import { outcome } from '../../outcome.mjs';
      export default async () => Response.json(await outcome());
      export const config = { runtime: 'edge' };`,
  },
  build: [...APPS.next.build, '--webpack'],
};

const HOOK = `(response) => {
  response.headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  response.headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  return response;
}`;

APPS.sveltekit = {
  package: gate('@sveltejs/kit'),
  files: {
    'package.json': '{ "private": true, "type": "module" }',
    'vite.config.js': `import adapter from '@sveltejs/adapter-node';
      import { sveltekit } from '@sveltejs/kit/vite';
      export default { plugins: [sveltekit({ adapter: adapter() })] };`,
    'src/app.html': '<!doctype html><head>%sveltekit.head%</head><body>%sveltekit.body%</body>',
    'src/hooks.server.js': `const isolated = ${HOOK};
      export const handle = async ({ event, resolve }) => isolated(await resolve(event));`,
    'src/routes/+page.svelte': `<script>
      import { onMount } from 'svelte';
      import { outcome } from '../../outcome.mjs';
      ${SHOW}
      onMount(() => show(outcome()));
    </script>`,
    'src/routes/node/+server.js': `import { outcome } from '../../../outcome.mjs';
      export const GET = async () => Response.json(await outcome());`,
  },
  build: [gate('vite/bin/vite.js'), 'build'],
  serve: ['build/index.js'],
};

APPS.astro = {
  package: slow('astro'),
  files: {
    'package.json': '{ "private": true, "type": "module" }',
    'astro.config.mjs': `import node from '@astrojs/node';
      export default { output: 'server', adapter: node({ mode: 'standalone' }) };`,
    'src/middleware.js': `const isolated = ${HOOK};
      export const onRequest = async (_, next) => isolated(await next());`,
    'src/pages/index.astro': `<html><head><title>app</title></head><body>
      <script>import { outcome } from '../../outcome.mjs';${SHOW}show(outcome());</script>
      </body></html>`,
    'src/pages/node.js': `import { outcome } from '../../outcome.mjs';
      export const GET = async () => Response.json(await outcome());`,
  },
  build: [slow('astro/bin/astro.mjs'), 'build'],
  serve: ['dist/server/entry.mjs'],
};

const WORKER_FILES = {
  'package.json': '{ "private": true, "type": "module" }',
  'worker.js': WORKER,
  'wrangler.json': JSON.stringify({
    name: 'app',
    main: 'worker.js',
    compatibility_date: '2026-07-01',
  }),
};

APPS.wrangler = {
  package: slow('wrangler'),
  files: WORKER_FILES,
  serve: [slow('wrangler/bin/wrangler.js'), 'dev', '--ip', '127.0.0.1', '--port', 'PORT'],
};

APPS['@cloudflare/vite-plugin'] = {
  package: slow('@cloudflare/vite-plugin'),
  files: {
    ...WORKER_FILES,
    'vite.config.js': `import { cloudflare } from '@cloudflare/vite-plugin';
      export default { plugins: [cloudflare()] };`,
  },
  build: [slow('vite/bin/vite.js'), 'build'],
  serve: [slow('vite/bin/vite.js'), 'preview', '--host', '127.0.0.1', '--port', 'PORT'],
};

APPS.miniflare = {
  package: slow('miniflare'),
  files: {
    ...WORKER_FILES,
    'serve.mjs': `import { Miniflare } from 'miniflare';
      new Miniflare({
        host: '127.0.0.1',
        port: Number(process.env.PORT),
        compatibilityDate: '2026-07-01',
        modules: [
          { type: 'ESModule', path: 'worker.bundle.js' },
          { type: 'CompiledWasm', path: 'wasm/gatefold.wasm' },
          { type: 'CompiledWasm', path: 'wasm/gatefold-relaxed.wasm' },
        ],
      });`,
  },
  prepare: async (folder) => {
    await bundleWorker(folder);
    await cp(join(folder, 'node_modules/gatefold/dist/wasm'), join(folder, 'wasm'), {
      recursive: true,
    });
  },
  serve: ['serve.mjs'],
};

APPS['edge-runtime'] = {
  package: slow('edge-runtime'),
  files: {
    'package.json': '{ "private": true, "type": "module" }',
    'inside.js': `import { outcome } from './outcome.mjs';
      addEventListener('fetch', (event) =>
        event.respondWith(outcome().then((outcome) => Response.json(outcome))));`,
    'serve.mjs': `import { readFileSync } from 'node:fs';
      import { EdgeRuntime, runServer } from 'edge-runtime';
      const initialCode = readFileSync('bundle.js', 'utf8');
      const runtime = new EdgeRuntime({ initialCode });
      runServer({ runtime, host: '127.0.0.1', port: Number(process.env.PORT) });`,
  },
  prepare: (folder) =>
    build({
      entryPoints: [join(folder, 'inside.js')],
      outfile: join(folder, 'bundle.js'),
      bundle: true,
      format: 'iife',
      define: { 'import.meta.url': '""' },
      logLevel: 'error',
    }),
  serve: ['serve.mjs'],
};

/** A route of an application that answers with the outcome, or a page that shows it. */
export function app(key, path, kind = 'route') {
  return async (installed) => {
    const made = APPS[key];
    const { origin } = await once(key, () => start(installed, made));
    const address = origin + path;
    const outcome = await (kind === 'page' ? visit(launchChromium, address) : ask(address));
    const [file, ...words] = made.build ?? made.serve;
    const tool = basename(file).replace(/\.m?js$/, '');
    const command = `${[tool, ...words].join(' ')}, ${path}`;
    return { version: versionOf(made.package), command, ...outcome };
  };
}
