// The same file in gatefold and in onnxruntime-web: each gives a function from frames to
// probabilities, which keeps what goes on from one frame to the next.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

export const RATE = 16_000;

const require = createRequire(import.meta.url);

/**
 * The files of @ricky0123/vad-web, each with what the reader is told of it: sizes, the rate, and
 * the outputs that are inputs of the next call.
 */
export const FILES = {
  v5: { file: 'silero_vad_v5.onnx', context: 64, frame: 512, ...latest(576) },
  v6: { file: 'silero_vad_v6.onnx', context: 64, frame: 512, ...latest(576) },
  legacy: {
    file: 'silero_vad_legacy.onnx',
    context: 0,
    frame: 512,
    dims: { batch: 1, sequence: 512 },
    set: { sr: RATE },
    carry: { hn: 'h', cn: 'c' },
    states: { h: [2, 1, 64], c: [2, 1, 64] },
  },
};

function latest(samples) {
  return {
    dims: { 'input.0': 1, 'input.1': samples, 'state.1': 1 },
    set: { sr: RATE },
    carry: { stateN: 'state' },
    states: { state: [2, 1, 128] },
  };
}

/** The bytes of a model: of a path, or of the package that carries it. */
export function bytesOf({ file }, path) {
  return readFileSync(path || require.resolve(`@ricky0123/vad-web/dist/${file}`));
}

export async function startGatefold(bytes, { dims, set, carry }) {
  const started = performance.now();
  const [engine, { loadOnnx }] = await Promise.all([
    import('gatefold').then(({ Engine }) => Engine.create()),
    import('gatefold/formats/onnx'),
  ]);
  const model = loadOnnx(engine, bytes, { dims, set, carry });
  let stream = model.stream();
  const output = new Float32Array(1);
  const run = async (frame) => {
    stream.step(frame, output);
    return output[0];
  };
  const restart = () => {
    stream.dispose();
    stream = model.stream();
  };
  return { run, restart, started };
}

export async function startRuntime(bytes, { carry, states }) {
  const started = performance.now();
  const { InferenceSession, Tensor, env } = await import('onnxruntime-web/wasm');
  env.wasm.numThreads = 1;
  env.logLevel = 'error';
  const session = await InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const sr = new Tensor('int64', BigInt64Array.of(BigInt(RATE)), []);
  const empty = ([name, shape]) => [
    name,
    new Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b)), shape),
  ];
  const zeros = () => Object.fromEntries(Object.entries(states).map(empty));
  let state = zeros();
  const run = async (frame) => {
    const input = new Tensor('float32', frame, [1, frame.length]);
    const results = await session.run({ input, sr, ...state });
    state = Object.fromEntries(Object.entries(carry).map(([name, as]) => [as, results[name]]));
    return results.output.data[0];
  };
  return { run, restart: () => (state = zeros()), started };
}

/** What a page downloads of each, bundled and gzipped, without the model: a program and kernels. */
export async function downloads() {
  const here = dirname(require.resolve('gatefold'));
  const theirs = dirname(require.resolve('onnxruntime-web/wasm'));
  const program = `
    export { Engine } from './core.js';
    export { loadOnnx } from './formats/onnx.js';`;
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: here },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    logLevel: 'error',
  });
  const parts = {
    gatefold: [outputFiles[0].contents, readFileSync(join(here, 'wasm/gatefold-relaxed.wasm'))],
    'onnxruntime-web': [
      'ort.wasm.min.mjs',
      'ort-wasm-simd-threaded.mjs',
      'ort-wasm-simd-threaded.wasm',
    ].map((name) => readFileSync(join(theirs, name))),
  };
  const sum = (files) => files.reduce((bytes, file) => bytes + gzipSync(file).length, 0);
  return Object.fromEntries(Object.entries(parts).map(([name, files]) => [name, sum(files)]));
}
