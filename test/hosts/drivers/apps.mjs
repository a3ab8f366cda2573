// Applications of frameworks: built as their users build them, and served by what they give.
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, freePort, launchChromium } from './engines.mjs';
import { SHOW, visit } from './pages.mjs';
import { once } from './running.mjs';
import { ENVIRONMENT, node22, runIn, slow, versionOf } from './slow.mjs';
import { ask } from './workerd.mjs';

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
async function start(installed, { files, build, serve }) {
  const folder = await appOf(installed, files);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    if (build) await runIn(folder, node22, ...build);
    const port = await freePort();
    const env = { ...ENVIRONMENT, PORT: port, HOST: '127.0.0.1' };
    const args = serve.map((word) => word.replace('PORT', port));
    const server = spawn(node22, args, {
      cwd: folder,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const close = async () => {
      await end(server);
      await remove();
    };
    return { server, origin: `http://127.0.0.1:${port}`, close };
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
const APPS = {
  next: {
    package: 'next',
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

/** A route of an application that answers with the outcome, or a page that shows it. */
export function app(key, path, kind = 'route') {
  return async (installed) => {
    const made = APPS[key];
    const { server, origin } = await once(key, () => start(installed, made));
    const address = origin + path;
    const outcome =
      kind === 'page' ? await visit(launchChromium, address) : await ask(address, server);
    const [, ...words] = made.build ?? made.serve;
    const command = `${made.package} ${words.join(' ')}, ${path}`;
    return { version: versionOf(made.package), command, ...outcome };
  };
}
