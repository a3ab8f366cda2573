/** TensorFlow.js on its WebAssembly backend, one thread. */
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

const files = new URL('../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url);
wasm.setWasmPaths(files.pathname);
wasm.setThreadsCount(1);
await tf.setBackend('wasm');

export const name = 'tfjs-wasm';
export { lacks, prepare, version } from './tfjs.mjs';
