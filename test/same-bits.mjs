// Does another build of the package compute the same bits? After `npm run build`: runs seeded
// configurations on this build and on the one in a folder, and compares all results bit by bit.
// Exit status 1 where bits differ. Configurations that the other build cannot make a model of, for
// it is older, are left out and counted; of those that differ the options are counted.
//
//   node test/same-bits.mjs ../before                     300 configurations
//   node test/same-bits.mjs ../before --from 17 --count 1
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outfile = here('../build/out/same-bits.mjs');

// Node 20 cannot run TypeScript.
await build({
  entryPoints: [here('same-bits/main.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile,
  logLevel: 'warning',
});
const { main } = await import(pathToFileURL(outfile).href);
await main(here('..'));
