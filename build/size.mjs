// What the package weighs, as a table; fails where something is over its budget. Run after the
// build.
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const KB = 1024;

/** Budgets in bytes: of a .wasm as it is, of an entry with everything it imports, gzipped. */
const BUDGETS = [
  { file: 'wasm/gatefold.wasm', raw: 68 * KB },
  { file: 'wasm/gatefold-relaxed.wasm', raw: 68 * KB },
  { file: 'index.js', gzip: 67 * KB },
  { file: 'core.js', gzip: 34 * KB },
  { file: 'worklet.js', gzip: 38 * KB },
  { file: 'workerd.js', gzip: 34 * KB },
  { file: 'data.js', gzip: 6 * KB },
  { file: 'kernels.js', gzip: 8 * KB },
  { file: 'formats/safetensors.js', gzip: 28 * KB },
];

/** An entry and its chunks as one file. */
async function bundled(file) {
  const { outputFiles } = await build({
    entryPoints: [`dist/${file}`],
    bundle: true,
    format: 'esm',
    external: ['*.wasm', 'node:*'],
    write: false,
    minify: true,
    logLevel: 'error',
  });
  return outputFiles[0].contents;
}

const show = (bytes) => `${(bytes / KB).toFixed(1)} KB`.padStart(9);
let failures = 0;
console.log('file                             raw      gzip    budget');
for (const { file, raw, gzip } of BUDGETS) {
  const isScript = file.endsWith('.js');
  const content = isScript ? await bundled(file) : await readFile(`dist/${file}`);
  const packed = gzipSync(content, { level: 9 }).length;
  const isOver = raw === undefined ? packed > gzip : content.length > raw;
  if (isOver) failures++;
  console.log(
    `${file.padEnd(27)}${show(content.length)} ${show(packed)} ${show(raw ?? gzip)}` +
      ` ${raw === undefined ? 'gzip' : 'raw'}${isOver ? '  OVER BUDGET' : ''}`,
  );
}
process.exitCode = failures > 0 ? 1 : 0;
