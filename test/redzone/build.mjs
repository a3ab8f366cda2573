import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

/** Modules of src/ that have a guarded form in guarded/, which alone imports the plain one. */
const guarded = {
  name: 'guarded',
  setup({ onResolve }) {
    onResolve({ filter: /\/(arena|kernels|plan)\.ts$/ }, ({ path, importer }) => {
      if (!importer.startsWith(join(root, 'src'))) return undefined;
      return { path: join(here, 'guarded', path.slice(path.lastIndexOf('/') + 1)) };
    });
  },
};

async function bundle(out, name, plugins) {
  const outfile = join(out, `${name}.mjs`);
  await build({
    entryPoints: [join(here, 'face.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outfile,
    plugins,
    logLevel: 'error',
  });
  return import(outfile);
}

/**
 * The package from its sources twice: with guarded gaps, and as it is. Campaigns may run side by
 * side.
 */
export async function buildFaces() {
  const out = await mkdtemp(join(tmpdir(), 'gatefold-redzone-'));
  try {
    return await Promise.all([bundle(out, 'guarded', [guarded]), bundle(out, 'plain', [])]);
  } finally {
    await rm(out, { recursive: true });
  }
}
