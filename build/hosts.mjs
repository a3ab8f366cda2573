// Entries by host. The sources import the kernels from one file, src/hosts/wasm/inline.ts; for a
// host that has them otherwise, the build puts that host's file beside it in its place. What
// imports it, directly or not, is bundled once for each host; all the rest is shared. A host
// without threads has no file that makes workers either.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { filesOf } from './steps.mjs';

const KERNELS = 'src/hosts/wasm/inline.ts';
const WORKERS = 'src/threads/workers.ts';
const NO_WORKERS = 'src/threads/no-workers.ts';

/** Entries that bring kernels, which package.json names by the conditions of these hosts. */
const HOSTS = ['workerd', 'edge', 'baseline'];
const BRINGING = {
  index: 'src/hosts/default.ts',
  node: 'src/node/index.ts',
  threads: 'src/threads/index.ts',
};

const named = (entry, host) => (entry === 'index' ? host : `${entry}.${host}`);

/** Those entries by the names of their files in dist/. */
export const ON_HOSTS = Object.fromEntries(
  HOSTS.flatMap((host) =>
    Object.entries(BRINGING)
      // The entry of one variant stands for itself.
      .filter(([entry]) => host !== 'baseline' || entry === 'index')
      .map(([entry, source]) => [named(entry, host), `${host}:${source}`]),
  ),
);

const IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^;'"]*?\bfrom\s+)?'(\.[^']+)'/gm;

/** Files that reach the kernels. */
async function reaching() {
  const importers = new Map();
  for (const file of (await filesOf('src')).filter((path) => path.endsWith('.ts'))) {
    for (const [, path] of (await readFile(file, 'utf8')).matchAll(IMPORT)) {
      const target = join(file, '..', path);
      importers.set(target, [...(importers.get(target) ?? []), file]);
    }
  }
  const found = new Set([KERNELS]);
  for (const file of found) for (const one of importers.get(file) ?? []) found.add(one);
  return new Set([...found].map((file) => resolve(file)));
}

/** The plug-in of esbuild. A file of a host is one with the host's name as suffix. */
export async function hosts() {
  const isReaching = await reaching();
  const kernels = resolve(KERNELS);
  const workers = resolve(WORKERS);
  const pathOf = (file, host) => {
    if (file === workers) return { path: resolve(NO_WORKERS) };
    if (!isReaching.has(file)) return undefined;
    if (file === kernels) return { path: resolve(KERNELS, '..', `${host}.ts`) };
    return { path: file, suffix: `?${host}`, pluginData: { host } };
  };
  return {
    name: 'hosts',
    setup({ onResolve }) {
      onResolve({ filter: /^(workerd|edge|baseline):/ }, ({ path }) => {
        const [host, file] = path.split(':');
        return pathOf(resolve(file), host);
      });
      onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir, pluginData }) =>
        pluginData?.host ? pathOf(resolve(resolveDir, path), pluginData.host) : undefined,
      );
    },
  };
}
