// Serves the page by Vite, as a project of its own would have it, or builds it.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, createServer } from 'vite';
import { readOptions, table } from '../common/terminal.mjs';

const USAGE = `
A page that learns gestures: drawn, trained, saved and loaded in the browser.

  node examples/browser-gesture/main.mjs

  --port N    where Vite's server listens, on this machine alone (5173)
  --build DIR where to put the page as files, instead of serving it
  --quick     a run of a few seconds: builds the page, and says what it weighs
`;
const options = readOptions(USAGE, { port: 5173, build: '' }, {});
const isQuick = process.argv.includes('--quick');
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
/** The examples share a style, so the folder of all of them is what is served. */
const config = { configFile: false, root: at('..'), base: './', logLevel: 'error' };

if (options.build || isQuick) {
  const outDir = options.build || (await mkdtemp(join(tmpdir(), 'gestures-')));
  const input = at('index.html');
  await build({ ...config, build: { outDir, emptyOutDir: false, rollupOptions: { input } } });
  const rows = [];
  for (const name of await readdir(outDir, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    const bytes = await readFile(join(name.parentPath, name.name));
    rows.push([
      name.name,
      (bytes.length / 1024).toFixed(1),
      (gzipSync(bytes).length / 1024).toFixed(1),
    ]);
  }
  console.log(table(['file', 'KB', 'KB gzip'], rows));
  if (!options.build) await rm(outDir, { recursive: true });
} else {
  const server = {
    port: options.port,
    strictPort: true,
    host: '127.0.0.1',
    fs: { allow: [at('../..')] },
  };
  const vite = await createServer({ ...config, server });
  await vite.listen();
  console.log(`http://localhost:${options.port}/browser-gesture/ learns gestures; Ctrl-C ends it`);
}
