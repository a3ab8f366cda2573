// Bundles the experiments with the sources of the package, as `npm run build` bundles the package,
// and starts them.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outdir = here('../build/out/experiments');

await build({
  entryPoints: [here('run.ts'), here('worker.ts')],
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'es2022',
  outdir,
  outExtension: { '.js': '.mjs' },
  logLevel: 'warning',
});
await import(`file://${outdir}/run.mjs`);
