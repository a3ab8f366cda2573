/**
 * What is not a case: cold start, memory, download, threads, and how time grows. Each in fresh
 * processes, or with data of its own.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { quantile } from './harness.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const COLD_RUNS = 9;

const node = (...args) => execFileSync(process.execPath, args, { encoding: 'utf8' });

/**
 * Milliseconds from the first import to the first output of 100 steps of an LSTM of 64/64, and the
 * memory it took, in fresh processes.
 */
function coldStart() {
  const names = ['gatefold', 'onnxruntime-web'];
  const runs = Array.from({ length: COLD_RUNS }, () =>
    names.map((name) => JSON.parse(node(here('cold.mjs'), name))),
  );
  return Object.fromEntries(
    names.map((name, k) => {
      const median = (key) =>
        quantile(
          runs.map((run) => run[k][key]),
          0.5,
        );
      return [name, { ms: median('ms'), megabytes: median('megabytes') }];
    }),
  );
}

const MEMORY_PEERS = ['gatefold', 'onnxruntime-web', 'onnxruntime-node', 'tfjs-wasm'];
const MEMORY_CASES = [
  'lstm/step/n1-t1-i64-h64',
  'lstm/sequence/n1-t100-i512-h512',
  'lstm/batch/n32-t100-i256-h512',
  'lstm/int8/n1-t100-i1024-h1024',
  'lstm/training/n1-t100-i64-h64',
  'lstm/training/n32-t50-i64-h128',
];

/** Megabytes by case and peer. */
function memory() {
  if (process.platform !== 'linux') return { peers: MEMORY_PEERS, rows: [] };
  const rows = MEMORY_CASES.map((id) => [
    id,
    ...MEMORY_PEERS.map((peer) => node(here('memory.mjs'), peer, id).trim()),
  ]);
  return { peers: MEMORY_PEERS, rows };
}

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;

async function bundle(contents) {
  const options = { bundle: true, minify: true, format: 'esm', write: false, logLevel: 'error' };
  const stdin = { contents, resolveDir: here('.') };
  const { outputFiles } = await build({ ...options, stdin, external: ['node:*', '*.wasm'] });
  return outputFiles[0].contents;
}

/** Bytes, gzipped, of all that a browser fetches for inference. */
async function download() {
  const use = `const model = Model.create(await Engine.create(OPTIONS), { layers: [] }); model.forward(new Float32Array(0));`;
  const whole = await bundle(`import { Engine, Model } from '../dist/index.js'; ${use}`);
  const core = await bundle(`import { Engine, Model } from '../dist/core.js'; ${use}`);
  const wasm = readFileSync(here('../dist/wasm/gatefold-relaxed.wasm'));
  const ort = 'node_modules/onnxruntime-web/dist';
  return {
    'default entry, both variants': gzipped(await bundle(`export * from '../dist/index.js'`)),
    'default entry as an application for inference bundles it': gzipped(whole),
    'core and one variant, for inference': gzipped(core) + gzipped(wasm),
    'onnxruntime-web': [
      'ort.wasm.min.mjs',
      'ort-wasm-simd-threaded.mjs',
      'ort-wasm-simd-threaded.wasm',
    ]
      .map((file) => gzipped(readFileSync(here(`${ort}/${file}`))))
      .reduce((a, b) => a + b),
  };
}

/** The exponent of a power law through the points, by least squares of the logarithms. */
export function exponentOf(points) {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)]);
  const mean = (k) => logs.reduce((sum, point) => sum + point[k], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const products = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return products / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}

/** How the time of a forward pass grows with T, N and H. */
async function growth() {
  const { Engine, Model } = await import('../dist/index.js');
  const engine = await Engine.create({ maxBytes: 2 ** 30 });
  const time = ({ steps, batch, size }) => {
    const layers = [{ type: 'lstm', inputSize: size, hiddenSize: size }];
    const model = Model.create(engine, { layers });
    const x = new Float32Array(steps * batch * size).fill(0.1);
    const times = [];
    for (const end = performance.now() + 300; performance.now() < end || times.length < 5;) {
      const start = performance.now();
      model.forward(x, { steps, batch });
      times.push(performance.now() - start);
    }
    model.dispose();
    return quantile(times, 0.5);
  };
  const series = {
    T: [100, 200, 400, 800].map((steps) => [steps, time({ steps, batch: 1, size: 64 })]),
    N: [6, 12, 24, 48].map((batch) => [batch, time({ steps: 50, batch, size: 128 })]),
    H: [64, 128, 256, 512].map((size) => [size, time({ steps: 20, batch: 24, size })]),
  };
  engine.dispose();
  return Object.fromEntries(
    Object.entries(series).map(([name, points]) => [
      name,
      { points, exponent: exponentOf(points) },
    ]),
  );
}

/** The lines of `threads.mjs`. */
const threads = () => node(here('threads.mjs')).trim().split('\n');

export async function extras() {
  return {
    cold: coldStart(),
    memory: memory(),
    download: await download(),
    growth: await growth(),
    threads: threads(),
  };
}
